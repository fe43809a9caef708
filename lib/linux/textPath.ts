/**
 * Paths as text. To Linux a name is bytes; QMP and every record of ours is JSON, which carries UTF-8 and nothing else. Read as
 * text, other bytes turn into a replacement character, and so into the name of another file: they are refused by name here.
 */
import { realpath } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';

/** The bytes as text; null where they are no UTF-8. */
export function textOf(bytes: Buffer): string | null {
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : null;
}

/** The path without links, as `realpath` gives it, which also throws what it throws. */
export async function realPathAsText(path: string): Promise<string> {
  const bytes = await realpath(path, { encoding: 'buffer' });
  const text = textOf(bytes);
  if (text === null) throw unreadableName(path, bytes);
  return text;
}

/** The refusal of a name by its bytes; `shown` is how the user knows it. */
export function unreadableName(shown: string, bytes: Buffer): CbtError {
  return new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `${shown}: its path is no UTF-8 (${escapedBytes(bytes)}), and QEMU takes no other over QMP: rename what is not, or mount its folder elsewhere (mount --bind)`,
    { details: { field: 'path', value: bytes.toString('hex'), limit: 'UTF-8' } },
  );
}

/** As a shell would take it: $'…' with what is no plain ASCII in hexadecimal. */
function escapedBytes(bytes: Buffer): string {
  const plain = (byte: number): boolean => byte >= 0x20 && byte < 0x7f && byte !== 0x27 && byte !== 0x5c;
  const parts = [...bytes].map((byte) =>
    plain(byte) ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
  );
  return `$'${parts.join('')}'`;
}
