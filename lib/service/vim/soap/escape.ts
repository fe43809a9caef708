/** Text in XML. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what XML 1.0 cannot hold
const SPECIAL = /[&<>"\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Cs}/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const SPECIALS = /[&<>"\r\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Cs}/gu;
const WRITTEN: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
};

/** For elements and attributes; a character that XML cannot hold becomes U+FFFD. */
export function escapeXml(text: string): string {
  return SPECIAL.test(text) || text.includes('\r')
    ? text.replace(SPECIALS, (one) => WRITTEN[one] ?? '\ufffd')
    : text;
}
