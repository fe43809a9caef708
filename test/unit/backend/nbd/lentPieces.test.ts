/** Lending over pieces that are played here: what is given back, when, and what never is. */
import { describe, expect, test } from 'vitest';
import { lendPieces } from '../../../../lib/backend/nbd/lentPieces.js';
import type { NbdPiece } from '../../../../lib/backend/nbd/nbdStream.js';
import type { LentPiece } from '../../../../lib/core/diskData.js';
import { refusalOf } from '../../../helpers/refusal.js';

/** Three pieces, each in memory of its own, and what was done with them in order. */
function played() {
  const log: string[] = [];
  const memories = [0, 1, 2].map((byte) => Uint8Array.of(byte, byte).buffer);
  async function* pieces(): AsyncGenerator<NbdPiece, void, undefined> {
    try {
      for (const [at, memory] of memories.entries()) {
        log.push(`ask ${at}`);
        yield { offset: 10 * at, data: Buffer.from(memory) };
      }
    } finally {
      log.push('left');
    }
  }
  const giveBack = (memory: ArrayBufferLike): void => {
    log.push(`back ${memories.indexOf(memory as ArrayBuffer)}`);
  };
  const lend = (work: (piece: LentPiece) => unknown) =>
    lendPieces(pieces(), work as (piece: LentPiece) => Promise<unknown>, giveBack);
  return { log, lend };
}

const soon = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('a piece', () => {
  test('goes back when its work is done and before the next is asked for', async () => {
    const { log, lend } = played();
    const bytes = await lend(async ({ offset, data }) => {
      log.push(`work ${offset} ${data[0]}`);
      await soon();
      log.push(`done ${offset}`);
    });
    expect(bytes).toBe(6);
    const each = [0, 1, 2].flatMap((at) => [
      `ask ${at}`,
      `work ${10 * at} ${at}`,
      `done ${10 * at}`,
      `back ${at}`,
    ]);
    expect(log).toEqual([...each, 'left']);
  });

  test('that is kept throws for its data, and says which it was', async () => {
    const { lend } = played();
    const kept: LentPiece[] = [];
    await lend(async (piece) => kept.push(piece));
    expect(kept.map(({ offset }) => offset)).toEqual([0, 10, 20]);
    expect(await refusalOf(async () => kept[1]!.data)).toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
      details: { offsetBytes: 10 },
    });
  });

  test('whose work fails never goes back: part of the work may go on', async () => {
    const { log, lend } = played();
    const broke = new Error('the disk is full');
    const work = async ({ offset }: LentPiece): Promise<void> => {
      await soon();
      if (offset === 10) throw broke;
    };
    await expect(lend(work)).rejects.toBe(broke);
    expect(log).toEqual(['ask 0', 'back 0', 'ask 1', 'left']);
  });

  test.each([
    ['nothing', () => undefined],
    ['a number', () => 7],
    ['null', () => null],
  ])('is not lent on to work that returns %s: nobody knows when it is done', async (_name, work) => {
    const { log, lend } = played();
    const error = await refusalOf(lend(work));
    expect(error).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
    expect(error.message).toMatch(/what work returns is .*, expected a promise/);
    expect(log).toEqual(['ask 0', 'left']);
  });

  test('goes to a work that throws at once as to one that is rejected', async () => {
    const { log, lend } = played();
    const work = () => {
      throw new Error('at once');
    };
    await expect(lend(work)).rejects.toThrow('at once');
    expect(log).toEqual(['ask 0', 'left']);
  });
});
