/** Cookies as clients send them back: some the pair alone, some the whole text that they were given, some an empty header. */

const MOST = 4096;

/** The value of a cookie, without quotes; null where it is not there. */
export function cookieOf(header: string | undefined, name: string): string | null {
  for (const part of (header ?? '').slice(0, MOST).split(';')) {
    const at = part.indexOf('=');
    if (at < 0 || part.slice(0, at).trim() !== name) continue;
    const value = part
      .slice(at + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1');
    return value === '' ? null : value;
  }
  return null;
}
