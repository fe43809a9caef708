/**
 * JSON as QEMU writes it: its integers are 64 bits wide, JavaScript's exact ones 53. JSON.parse would round the wide
 * ones without a word, so they come out as bigint here, and whoever needs a number meets a type that does not fit.
 */

/** Digits of the widest integer QEMU can mean, 2^64 - 1; a longer one is refused, and never made a bigint (O(n^2)). */
const MAX_INTEGER_DIGITS = 20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Drawn once per process, so that no peer can spell it. */
const WIDE = `wide-integer-${globalThis.crypto.randomUUID()}`;

/** Parses one JSON text; integers past ±(2^53 - 1) become bigint. Throws SyntaxError. O(length). */
export function parseJson(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  const marked = markWideIntegers(text);
  return marked === text ? JSON.parse(text) : JSON.parse(marked, reviveWideInteger);
}

function reviveWideInteger(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(WIDE in value)) return value;
  return BigInt(String((value as Record<string, unknown>)[WIDE]));
}

/** Puts `{"<WIDE>":"digits"}` where a wide integer stands; everything else is copied. */
function markWideIntegers(text: string): string {
  const parts: string[] = [];
  let copied = 0;
  let at = 0;
  while (at < text.length) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) {
      at = endOfString(text, at);
    } else if (isNumberUnit(unit)) {
      const start = at;
      while (at < text.length && isNumberUnit(text.charCodeAt(at))) at += 1;
      const token = text.slice(start, Math.min(at, start + MAX_INTEGER_DIGITS + 2));
      if (!isWideInteger(token)) continue;
      parts.push(text.slice(copied, start), `{"${WIDE}":"${token}"}`);
      copied = at;
    } else {
      at += 1;
    }
  }
  if (copied === 0) return text;
  parts.push(text.slice(copied));
  return parts.join('');
}

function isWideInteger(token: string): boolean {
  if (!/^-?[1-9]\d{15,}$/.test(token)) return false;
  if (token.replace('-', '').length > MAX_INTEGER_DIGITS) {
    throw new SyntaxError(`integer of more than ${MAX_INTEGER_DIGITS} digits`);
  }
  return !Number.isSafeInteger(Number(token));
}

/** Index behind the closing quote; the length of the text when there is none (JSON.parse will say so). */
function endOfString(text: string, open: number): number {
  let at = open + 1;
  while (at < text.length) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at + 1;
    at += unit === BACKSLASH ? 2 : 1;
  }
  return text.length;
}

/** Digits, sign, point, exponent: whatever can stand in one number token. */
function isNumberUnit(unit: number): boolean {
  return (
    (unit >= 0x30 && unit <= 0x39) ||
    unit === 0x2d ||
    unit === 0x2b ||
    unit === 0x2e ||
    unit === 0x65 ||
    unit === 0x45
  );
}
