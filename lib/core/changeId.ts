/**
 * A point in time in VMware's text form: the 16 bytes of the epoch as hex pairs with a dash in the middle, a slash, the
 * sequence number in decimal, for example `52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81`. Real clients match that
 * shape by regular expression, split it at the slash, and compare the first half to learn that history was lost.
 */

export interface ChangeId {
  /** RFC 4122 text, lower case. */
  epoch: string;
  /** Sequence number of the segment that starts at the point in time, from 1. */
  sequence: number;
}

const CHANGE_ID = /^((?:[0-9a-f]{2} ?){7}[0-9a-f]{2})-((?:[0-9a-f]{2} ?){7}[0-9a-f]{2})\/([1-9]\d{0,15})$/i;

export function formatChangeId({ epoch, sequence }: ChangeId): string {
  const pairs = epoch.replaceAll('-', '').match(/../g) ?? [];
  return `${pairs.slice(0, 8).join(' ')}-${pairs.slice(8).join(' ')}/${sequence}`;
}

/** Null when the text is not a changeId. Case and the spaces between bytes are free. */
export function parseChangeId(text: string): ChangeId | null {
  const match = CHANGE_ID.exec(text);
  if (match === null) return null;
  const hex = `${match[1]}${match[2]}`.replaceAll(' ', '').toLowerCase();
  const sequence = Number(match[3]);
  if (!Number.isSafeInteger(sequence)) return null;
  const epoch = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    '-',
  );
  return { epoch, sequence };
}
