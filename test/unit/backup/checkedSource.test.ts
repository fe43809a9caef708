/** A source that breaks its rules is told so, by the field or the disk; nothing of it becomes a backup that looks whole. */
import { describe, expect, test } from 'vitest';
import { checkedSource } from '../../../lib/backup/checkedSource.js';
import { readInto, readWhole } from '../../../lib/backup/readInto.js';
import type { BackupSource, SourceDisk, SourceFacts, SourceSession } from '../../../lib/backup/source.js';
import { CbtError } from '../../../lib/core/errors.js';
import { ChangeMap } from '../../../lib/host/ranges.js';

const PIT = '11111111-1111-4111-8111-111111111111';
const EPOCH = '22222222-2222-4222-8222-222222222222';
const SIZE = 1 << 20;
const point = { pit: PIT, sequence: 1, changeId: 'x' };
const map = (sizeBytes = SIZE, start = 0): Promise<ChangeMap> =>
  ChangeMap.from(Float64Array.of(0, 512), { disk: 'a', sizeBytes }, { start });

function disk(change: Partial<SourceDisk> = {}): SourceDisk {
  return {
    disk: 'a',
    sizeBytes: SIZE,
    epoch: EPOCH,
    changeId: 'x',
    lost: null,
    points: async () => [point],
    changes: () => map(),
    allocated: () => map(),
    openData: async () => ({
      info: { sizeBytes: SIZE },
      read: async (_, n) => Buffer.alloc(n),
      close: async () => undefined,
    }),
    ...change,
  };
}

interface Changes {
  facts?: object;
  session?: object;
  disk?: Partial<SourceDisk>;
}

function source(
  { facts = {}, session = {}, disk: of = {} }: Changes = {},
  ended: string[] = [],
): BackupSource {
  const found = { disk: 'a', image: null, sizeBytes: SIZE, epoch: EPOCH, points: [point] };
  return {
    leavesPoint: true,
    facts: async () =>
      ({ kind: 'vm', name: null, uuid: null, disks: [found], others: [], ...facts }) as SourceFacts,
    openDisk: async () => ({ changes: () => map(), allocated: () => map(), close: async () => undefined }),
    begin: async (pit) =>
      ({
        pit,
        disks: [disk(of)],
        failed: [],
        warnings: [],
        check: async () => [],
        commit: async () => [],
        rollback: async () => {
          ended.push('rollback');
          return [];
        },
        ...session,
      }) as SourceSession,
    forget: async () => undefined,
    undo: async () => undefined,
  };
}

const protocol = (words: RegExp) => ({
  code: 'ERR_CBT_BACKEND_PROTOCOL',
  message: expect.stringMatching(words),
});

test('one that keeps its rules is answered by as it is', async () => {
  const checked = checkedSource(source());
  expect((await checked.facts(undefined)).disks).toHaveLength(1);
  const session = await checked.begin(PIT, undefined);
  const [first] = session.disks;
  expect(first).toMatchObject({ disk: 'a', sizeBytes: SIZE, epoch: EPOCH, changeId: 'x', lost: null });
  expect(await (await first!.changes(PIT, {})).changedBytes()).toBe(512);
  expect(await first!.points(undefined)).toEqual([point]);
});

const found = { disk: 'a', image: null, sizeBytes: SIZE, epoch: EPOCH, points: [point] };
test.each<[string, object, RegExp]>([
  ['a kind that there is not', { kind: 'lun' }, /kind/],
  ['no list of disks', { disks: undefined }, /disks/],
  ['a disk twice', { disks: [found, found] }, /a is there twice/],
  ['a size that is no number', { disks: [{ ...found, sizeBytes: '5' }] }, /disks\.0\.sizeBytes/],
  ['a history that is no UUID', { disks: [{ ...found, epoch: 'X' }] }, /disks\.0\.epoch/],
  ['a point without a number', { disks: [{ ...found, points: [{ pit: PIT }] }] }, /points\.0/],
  ['an error that is none of ours', { disks: [{ ...found, error: new Error('x') }] }, /disks\.0\.error/],
])('facts with %s are refused', async (_, facts, words) => {
  await expect(checkedSource(source({ facts })).facts(undefined)).rejects.toMatchObject(protocol(words));
});

test.each<[string, Changes, RegExp]>([
  ['another point', { session: { pit: EPOCH } }, /pit is .* expected/],
  ['no way to check it', { session: { check: undefined } }, /has no check/],
  [
    'a disk both there and failed',
    { session: { failed: [{ disk: 'a', error: new CbtError('ERR_CBT_TIMEOUT', 'x') }] } },
    /a is there twice/,
  ],
  ['a disk without data', { disk: { openData: undefined as never } }, /a of the session has no openData/],
  ['a disk with half a loss', { disk: { lost: {} as never } }, /disks\.0\.lost/],
])('a session with %s is refused, and rolled back', async (_, changes, words) => {
  const ended: string[] = [];
  const checked = checkedSource(source(changes, ended));
  await expect(checked.begin(PIT, undefined)).rejects.toMatchObject(protocol(words));
  expect(ended).toEqual(['rollback']);
});

test('a disk that was there before, and is not in the session, has failed', async () => {
  const checked = checkedSource(source({ session: { disks: [] } }));
  await checked.facts(undefined);
  expect((await checked.begin(PIT, undefined)).failed).toMatchObject([
    { disk: 'a', error: { code: 'ERR_CBT_BACKEND_UNAVAILABLE', disk: 'a' } },
  ]);
});

describe('of a disk', () => {
  const first = async (change: Partial<SourceDisk>): Promise<SourceDisk> => {
    const [one] = (await checkedSource(source({ disk: change })).begin(PIT, undefined)).disks;
    return one!;
  };
  test('a map of another size, or of a part, is a mismatch', async () => {
    for (const wrong of [() => map(SIZE / 2), () => map(SIZE, 4096)]) {
      const changed = await first({ changes: wrong, allocated: wrong });
      await expect(changed.changes(PIT, {})).rejects.toMatchObject({ code: 'ERR_CBT_MAP_MISMATCH' });
      await expect(changed.allocated({})).rejects.toMatchObject({ code: 'ERR_CBT_MAP_MISMATCH' });
    }
  });
  test('a map that is none is refused', async () => {
    const changed = await first({ changes: async () => ({ ranges: () => [] }) as never });
    await expect(changed.changes(PIT, {})).rejects.toMatchObject(protocol(/ChangeMap.from/));
  });
  test('points that are none are refused', async () => {
    const changed = await first({ points: async () => [{ pit: 'x' }] as never });
    await expect(changed.points(undefined)).rejects.toMatchObject(protocol(/points of a/));
  });
  test('data without a size is refused, and closed', async () => {
    let closed = false;
    const close = async (): Promise<void> => {
      closed = true;
    };
    const changed = await first({
      openData: async () => ({ read: async () => Buffer.alloc(0), close }) as never,
    });
    await expect(changed.openData(undefined)).rejects.toMatchObject(protocol(/sizeBytes/));
    expect(closed).toBe(true);
  });
});

describe('data', () => {
  const info = { sizeBytes: SIZE };
  test.each<[string, unknown, RegExp]>([
    ['too few bytes', Buffer.alloc(5), /5 bytes where 8/],
    ['too many', Buffer.alloc(9), /9 bytes where 8/],
    ['a text', '12345678', /string/],
    ['nothing', undefined, /undefined/],
  ])('that gives %s is refused', async (_, given, words) => {
    const data = { info, read: async () => given as Buffer };
    await expect(readWhole(data, 0, 8, {})).rejects.toMatchObject(protocol(words));
    await expect(readInto(Buffer.alloc(8), data, 0, {})).rejects.toMatchObject(protocol(words));
  });
  test('that leaves the memory it was given alone is refused: what was in it is not the disk', async () => {
    const data = { info, read: async () => Buffer.alloc(8), readRanges: async () => Buffer.alloc(8) };
    await expect(readInto(Buffer.alloc(8), data, 0, {})).rejects.toMatchObject(protocol(/did not fill/));
  });
  test('is what was read, also out of memory that is another’s', async () => {
    const all = Uint8Array.from({ length: 64 }, (_, at) => at);
    const data = {
      info,
      read: async (offset: number, length: number) => all.subarray(offset, offset + length),
    };
    const into = Buffer.alloc(4);
    await readInto(into, data, 10, {});
    expect([...into]).toEqual([10, 11, 12, 13]);
  });
});
