/**
 * Memory that is lent: a piece is the reader's while its work on it is under way, then the next pieces come in the same
 * memory. Only work that says when it is done is lent to; where it failed, nobody knows what of it goes on, and its memory
 * is left to the garbage collector.
 */
import type { LentPiece } from '../../core/diskData.js';
import { CbtError, invalidArgument } from '../../core/errors.js';
import type { NbdPiece } from './nbdStream.js';

class Loan implements LentPiece {
  readonly offset: number;
  #data: Buffer | undefined;

  constructor({ offset, data }: NbdPiece) {
    this.offset = offset;
    this.#data = data;
  }

  get data(): Buffer {
    if (this.#data === undefined)
      throw new CbtError(
        'ERR_CBT_INVALID_ARGUMENT',
        `the piece at ${this.offset} was lent until the work on it was done; copy what is needed for longer`,
        { details: { offsetBytes: this.offset } },
      );
    return this.#data;
  }

  end(): void {
    this.#data = undefined;
  }
}

/** Works on one piece after the other, each given back when its work is done; bytes in all of them. */
export async function lendPieces(
  pieces: AsyncIterable<NbdPiece>,
  work: (piece: LentPiece) => Promise<unknown>,
  giveBack: (memory: ArrayBufferLike) => void,
): Promise<number> {
  let bytes = 0;
  for await (const piece of pieces) {
    const { length, buffer } = piece.data;
    const loan = new Loan(piece);
    try {
      const working: unknown = work(loan);
      if (!isPromise(working)) throw invalidArgument('what work returns', working, 'a promise');
      await working;
    } finally {
      loan.end();
    }
    giveBack(buffer);
    bytes += length;
  }
  return bytes;
}

function isPromise(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
