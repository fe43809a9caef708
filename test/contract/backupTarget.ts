/** The promises of `BackupTarget` that a run stands on; `backupTarget.test.ts` has a line for each maker. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BackupTarget, TargetRead } from '../../lib/backup/target.js';

export interface TargetSubject extends AsyncDisposable {
  target: BackupTarget;
  /** Everything that is under way or half there, behind the target's back. */
  leftovers(): Promise<string[]>;
}

export type MakeTarget = () => Promise<TargetSubject>;

function bytes(length: number, seed = 1): Buffer {
  const made = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) made[at] = at * 31 + (at >> 8) * 7 + seed;
  return made;
}

async function* cut(data: Buffer, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

export function targetContract(maker: string, make: MakeTarget): void {
  describe(`a target, ${maker}`, () => {
    let subject: TargetSubject;
    let target: BackupTarget;
    beforeEach(async () => {
      subject = await make();
      target = subject.target;
    });
    afterEach(() => subject?.[Symbol.asyncDispose]());

    const write = (key: string, data: Buffer, size = 1 << 20): Promise<void> =>
      target.write(key, cut(data, size), { atMostBytes: data.length });
    const read = async (key: string, options?: TargetRead): Promise<Buffer> => {
      const parts: Uint8Array[] = [];
      for await (const part of target.read(key, options)) parts.push(Uint8Array.from(part));
      return Buffer.concat(parts);
    };
    const list = async (prefix: string): Promise<string[]> => {
      const keys: string[] = [];
      for await (const key of target.list(prefix)) keys.push(key);
      return keys.sort();
    };

    test.each([
      ['nothing', 0],
      ['a byte', 1],
      ['several parts', (11 << 20) + 17],
      ['parts without a rest', 10 << 20],
    ])('keeps %s, and gives it back whole and in parts', async (_, length) => {
      const data = bytes(length);
      await write('data/x/0.data', data, 700_001);
      expect((await read('data/x/0.data')).equals(data)).toBe(true);
      for (const [offset, wanted] of [
        [0, 1],
        [length - 1, 1],
        [Math.floor(length / 3), Math.floor(length / 2)],
      ] as const) {
        if (offset < 0 || wanted < 1 || offset + wanted > length) continue;
        const part = await read('data/x/0.data', { offset, length: wanted });
        expect(part.equals(data.subarray(offset, offset + wanted)), `${offset}+${wanted}`).toBe(true);
      }
      expect(await subject.leftovers()).toEqual([]);
    });

    test('lists every key that begins so, and no other', async () => {
      expect(await list('data/')).toEqual([]);
      const keys = ['data/a/0.data', 'data/a/0.sums', 'data/b/0.data', 'runs/1.json', 'runs/2.json'];
      for (const key of keys) await write(key, bytes(3));
      expect(await list('data/')).toEqual(keys.slice(0, 3));
      expect(await list('data/a/')).toEqual(keys.slice(0, 2));
      expect(await list('')).toEqual(keys);
    });

    test('takes an object away; one that is not there is none', async () => {
      await write('runs/1.json', bytes(3));
      await target.remove('runs/1.json');
      await target.remove('runs/1.json');
      expect(await list('')).toEqual([]);
      await expect(read('runs/1.json')).rejects.toThrow();
    });

    test.each([
      ['small', 1 << 20],
      ['large', 12 << 20],
    ])('data that ends with an error leaves nothing under its key: %s', async (_, length) => {
      const failing = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
        yield* cut(bytes(length), 1 << 20);
        throw new Error('the disk is gone');
      };
      const writing = target.write('data/x/0.data', failing(), { atMostBytes: length * 2 });
      await expect(writing).rejects.toThrow(/the disk is gone/);
      expect(await list('')).toEqual([]);
      expect(await subject.leftovers()).toEqual([]);
    });

    test('an aborted write ends, and leaves nothing', async () => {
      const abort = new AbortController();
      const endless = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
        for (let at = 0; ; at += 1) {
          if (at === 8) abort.abort();
          yield bytes(1 << 20, at);
        }
      };
      const options = { atMostBytes: 2 ** 40, signal: abort.signal };
      await expect(target.write('data/x/0.data', endless(), options)).rejects.toMatchObject({
        code: 'ERR_CBT_ABORTED',
      });
      expect(await list('')).toEqual([]);
      expect(await subject.leftovers()).toEqual([]);
    });
  });
}
