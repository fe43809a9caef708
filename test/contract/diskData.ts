/**
 * The promises of `DiskData` that copies, backups and facades stand on. A maker puts the content on a disk of its own and
 * opens it; `diskData.test.ts` has a line for each.
 */
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { DiskData, DiskDataCallOptions, LentPiece } from '../../lib/core/diskData.js';
import type { Ranges } from '../../lib/core/rangePage.js';
import { extentsOf } from '../helpers/imageQuestions.js';
import { refusalOf } from '../helpers/refusal.js';

const MIB = 2 ** 20;
/** Ends inside everything that a server may think in. */
export const SIZE = 3 * MIB + 512;
export const ALLOCATION = 'base:allocation';
const HOLE = { from: MIB, to: 2 * MIB };

export interface DataSubject extends AsyncDisposable {
  /** Opens it anew, with the context {@link ALLOCATION}. */
  open(): Promise<DiskData>;
  writable: boolean;
}

/** Bytes that tell where they were read; nothing in the second MiB. */
function content(): Buffer {
  const bytes = Buffer.alloc(SIZE);
  for (let at = 0; at < SIZE; at += 1) bytes[at] = 1 + (((at >> 9) ^ at) % 255);
  return bytes.fill(0, HOLE.from, HOLE.to);
}

/** Odd offsets and ends, borders of sectors and clusters, the ends of the disk. */
const PLACES: readonly (readonly [offset: number, length: number])[] = [
  [0, 1],
  [1, 511],
  [511, 2],
  [4095, 4098],
  [65_535, 2],
  [MIB - 1, 2],
  [MIB + 3, 70_001],
  [2 * MIB - 5, 300_007],
  [SIZE - 513, 513],
  [SIZE - 1, 1],
  [SIZE, 0],
  [0, 0],
];
const FAR: readonly (readonly [offset: number, length: number])[] = [
  [SIZE, 1],
  [SIZE - 1, 2],
  [2 ** 40, 512],
];

/** `make` is given what the disk holds: {@link SIZE} bytes. */
export function diskDataContract(maker: string, make: (content: Buffer) => Promise<DataSubject>): void {
  describe(`disk data, ${maker}`, () => {
    /** What the disk holds now. */
    const model = content();
    let subject: DataSubject;
    beforeAll(async () => {
      subject = await make(content());
    });
    afterAll(() => subject?.[Symbol.asyncDispose]());

    const open = async (): Promise<DiskData> => {
      const data = await subject.open();
      onTestFinished(() => data.close());
      return data;
    };
    const expectModel = async (data: DiskData, from = 0, to = SIZE): Promise<void> => {
      const found = await data.read(from, to - from);
      expect(found.length).toBe(to - from);
      if (found.equals(model.subarray(from, to))) return;
      const at = found.findIndex((byte, index) => byte !== model[from + index]);
      expect(`byte ${from + at} is ${found[at]}`).toBe(`byte ${from + at} is ${model[from + at]}`);
    };
    /** Everything that asks the disk for something; nothing that changes what the model says. */
    const calls = (): ((data: DiskData, options?: DiskDataCallOptions) => Promise<unknown>)[] => {
      const ranges = Float64Array.of(0, MIB);
      const same = Buffer.from(model.subarray(0, MIB));
      const window = { startBytes: 0, endBytes: SIZE, maxRanges: 1000 };
      return [
        (data, options) => data.read(0, SIZE, options),
        (data, options) => data.readRanges(ranges, options),
        (data, options) => collect(data.stream(ranges, options)),
        (data, options) => data.forEachPiece(ranges, async () => undefined, options),
        (data, options) => data.pager(ALLOCATION, 'data').page({ ...window, ...options }),
        ...(subject.writable ? changes(ranges, same) : []),
      ];
    };

    test('says its size, and whether it can be written to', async () => {
      const { info } = await open();
      expect(info).toMatchObject({ sizeBytes: SIZE, readOnly: !subject.writable });
      expect(info.minBlockBytes ?? 1).toBe(1);
    });

    test('reads at any offset and to any end', async () => {
      const data = await open();
      for (const [offset, length] of PLACES) await expectModel(data, offset, offset + length);
      for (const chunkBytes of [512, 100_000])
        expect((await data.read(1, SIZE - 2, { chunkBytes })).equals(model.subarray(1, SIZE - 1))).toBe(true);
    });

    test('reads ranges one behind the other, into memory of its own or of the caller', async () => {
      const data = await open();
      const ranges = Float64Array.of(3, 5, 600, 70_000, MIB - 9, 20, SIZE - 1, 1);
      const expected = cut(model, ranges);
      expect((await data.readRanges(ranges)).equals(expected)).toBe(true);
      for (const into of [
        new Uint8Array(expected.length),
        new Uint8Array(new SharedArrayBuffer(expected.length)),
      ]) {
        expect(await data.readRanges(ranges, { into })).toBe(into);
        expect(Buffer.from(into).equals(expected)).toBe(true);
      }
      for (const length of [expected.length - 1, expected.length + 1])
        expect((await refusalOf(data.readRanges(ranges, { into: new Uint8Array(length) }))).code).toBe(
          'ERR_CBT_INVALID_ARGUMENT',
        );
      expect(await data.readRanges(new Float64Array(0))).toHaveLength(0);
    });

    test('streams pieces in order of offset that cover the ranges and nothing else', async () => {
      const data = await open();
      const ranges = Float64Array.of(1, MIB, 2 * MIB - 7, MIB + 7 + 512);
      for (const options of [{}, { chunkBytes: 65_536 }, { chunkBytes: 100_001, queueBytes: MIB }]) {
        let left = [...pairs(ranges)];
        const look = async ({ offset, data: piece }: LentPiece): Promise<void> => {
          const range = left[0];
          expect(offset).toBe(range?.[0]);
          expect(piece.length).toBeLessThanOrEqual(Math.min(range?.[1] ?? 0, options.chunkBytes ?? SIZE));
          expect(piece.equals(model.subarray(offset, offset + piece.length))).toBe(true);
          if (range === undefined) return;
          range[0] += piece.length;
          range[1] -= piece.length;
          if (range[1] === 0) left.shift();
        };
        for await (const piece of data.stream(ranges, options)) await look(piece);
        expect(left).toEqual([]);
        left = [...pairs(ranges)];
        expect(await data.forEachPiece(ranges, look, options)).toBe(2 * MIB + 512 + 7);
        expect(left).toEqual([]);
      }
      // One that is left early holds nothing up.
      for await (const { offset } of data.stream(ranges, { chunkBytes: 512 })) if (offset > 4096) break;
      await expectModel(data);
    });

    test('what lies outside the disk is refused, and nothing is done', async () => {
      const data = await open();
      for (const [offset, length] of FAR) {
        const ranges = Float64Array.of(offset, length);
        const both = Float64Array.of(0, 1, offset, length);
        const bytes = Buffer.alloc(length, 9);
        for (const ask of [
          () => data.read(offset, length),
          () => data.readRanges(both),
          () => collect(data.stream(both)),
          () => data.forEachPiece(both, async () => undefined),
          ...(subject.writable
            ? [
                () => data.write(offset, bytes),
                () => data.writeRanges(both, Buffer.concat([Buffer.of(9), bytes])),
                () => data.writeStream([{ offset, data: bytes }]),
                () => data.zero(ranges),
                () => data.trim(ranges),
              ]
            : []),
        ])
          expect((await refusalOf(ask)).code).toBe('ERR_CBT_INVALID_ARGUMENT');
      }
      for (const offset of [-1, 0.5, Number.NaN])
        expect((await refusalOf(data.read(offset, 1))).code).toBe('ERR_CBT_INVALID_ARGUMENT');
      await expectModel(data);
    });

    test('tells where it holds data, and nothing of a context that it has not asked for', async () => {
      const data = await open();
      const held = await extentsOf(data.pager(ALLOCATION, 'data'), SIZE);
      // Whatever is not told reads as zeros.
      let at = 0;
      for (const [offset, length] of [...held, [SIZE, 0]] as const) {
        expect(model.subarray(at, offset).every((byte) => byte === 0)).toBe(true);
        at = offset + length;
      }
      expect(held.length).toBeGreaterThan(0);
      const other = data.pager('qemu:dirty-bitmap:none', 'dirty');
      const window = { startBytes: 0, endBytes: SIZE, maxRanges: 1 };
      expect((await refusalOf(other.page(window))).code).toMatch(/^ERR_CBT_(INVALID_ARGUMENT|UNSUPPORTED)$/);
      await expectModel(data, 0, 512);
    });

    test('two calls at once get their own answers', async () => {
      const data = await open();
      const found = await Promise.all([
        ...PLACES.map(([offset, length]) => data.read(offset, length)),
        collect(data.stream(Float64Array.of(0, SIZE), { chunkBytes: 65_536 })),
        data.read(0, SIZE),
      ]);
      const expected = [...PLACES, [0, SIZE] as const, [0, SIZE] as const];
      for (const [index, [offset, length]] of expected.entries())
        expect(found[index]?.equals(model.subarray(offset, offset + length))).toBe(true);
    });

    test('an aborted call is ERR_CBT_ABORTED, and the next one is answered', async () => {
      const data = await open();
      const signal = AbortSignal.abort();
      for (const ask of calls())
        expect((await refusalOf(() => ask(data, { signal }))).code).toBe('ERR_CBT_ABORTED');
      for (const ask of calls()) {
        const abort = new AbortController();
        const asked = settled(ask(data, { signal: abort.signal }));
        abort.abort();
        expect(await asked).toMatch(/^(answered|ERR_CBT_ABORTED)$/);
      }
      await expectModel(data);
    });

    test.each([0, 4])('closed in the middle, after %i turns, every call ends', async (turns) => {
      for (const ask of calls()) {
        const data = await subject.open();
        const running = [settled(ask(data)), settled(data.read(0, SIZE))];
        for (let turn = 0; turn < turns; turn += 1) await setImmediate();
        await Promise.all([data.close(), data.close()]);
        for (const how of await Promise.all(running)) expect(how).toMatch(/^(answered|ERR_CBT_CLOSED)$/);
      }
    });

    test('closed is ERR_CBT_CLOSED, and closing again is nothing', async () => {
      const data = await subject.open();
      const pager = data.pager(ALLOCATION, 'data');
      await data.close();
      await data.close();
      await data[Symbol.asyncDispose]();
      const page = () => pager.page({ startBytes: 0, endBytes: SIZE, maxRanges: 1 });
      for (const ask of [...calls(), page])
        expect((await refusalOf(() => ask(data))).code).toBe('ERR_CBT_CLOSED');
    });

    /** Does it on the disk and on the model; the disk is the model's, now and when it is opened again. */
    const change = async (
      work: (data: DiskData) => Promise<unknown>,
      onModel: (bytes: Buffer) => unknown,
    ): Promise<void> => {
      const data = await subject.open();
      try {
        await work(data);
        onModel(model);
        await expectModel(data);
        await data.flush();
      } finally {
        await data.close();
      }
      await using again = await subject.open();
      await expectModel(again);
    };

    test('writes at any offset and to any end, or not at all', async () => {
      if (!subject.writable) {
        const data = await open();
        for (const work of [
          () => data.write(0, Buffer.of(9)),
          () => data.writeRanges(Float64Array.of(5, 1), Buffer.of(9)),
          () => data.zero(Float64Array.of(0, 512)),
        ])
          expect((await refusalOf(work)).code).toBe('ERR_CBT_UNSUPPORTED');
        return expectModel(data);
      }
      await change(
        async (data) => {
          for (const [index, [offset, length]] of PLACES.entries())
            await data.write(offset, Buffer.alloc(length, 100 + index), { forceUnitAccess: index % 2 === 0 });
        },
        (bytes) => {
          for (const [index, [offset, length]] of PLACES.entries())
            bytes.fill(100 + index, offset, offset + length);
        },
      );
    });

    test('writes ranges and streams, and takes the bytes as they are when it is called', async () => {
      if (!subject.writable) return;
      const ranges = Float64Array.of(7, 700, 5000, 100_000, SIZE - 3, 3);
      const bytes = Buffer.alloc(100_703, 77);
      const pieces = [3, 0, 2, 1].map((number) => ({
        offset: 300_000 + number * 10_007,
        data: Buffer.alloc(10_007, 10 + number),
      }));
      await change(
        async (data) => {
          const own = Buffer.from(bytes);
          const writing = data.writeRanges(ranges, own);
          own.fill(1);
          await writing;
          expect(await data.writeStream(pieces, { queueBytes: 20_000 })).toBe(4 * 10_007);
          for (const length of [bytes.length - 1, bytes.length + 1])
            expect((await refusalOf(data.writeRanges(ranges, Buffer.alloc(length, 8)))).code).toBe(
              'ERR_CBT_INVALID_ARGUMENT',
            );
        },
        (to) => {
          for (const [offset, length] of pairs(ranges)) to.fill(77, offset, offset + length);
          for (const { offset, data } of pieces) data.copy(to, offset);
        },
      );
    });

    test('zeroes and trims what it is told, and nothing beside it', async () => {
      if (!subject.writable) return;
      const [odd, kept, given] = [
        Float64Array.of(13, 1001, 200_000, 70_000),
        Float64Array.of(2 * MIB + 1, 65_536),
        Float64Array.of(131_072, 65_536),
      ];
      const zero = (bytes: Buffer, ranges: Ranges): void => {
        for (const [offset, length] of pairs(ranges)) bytes.fill(0, offset, offset + length);
      };
      await change(
        async (data) => {
          await data.zero(odd);
          await data.zero(kept, { keepAllocated: true });
          zero(model, odd);
          zero(model, kept);
          await data.trim(given);
          // There it may read as anything.
          await expectModel(data, 0, 131_072);
          await expectModel(data, 196_608);
          await data.zero(given);
        },
        (bytes) => zero(bytes, given),
      );
    });
  });
}

function changes(
  ranges: Ranges,
  bytes: Buffer,
): ((data: DiskData, options?: DiskDataCallOptions) => Promise<unknown>)[] {
  return [
    (data, options) => data.write(0, bytes, options),
    (data, options) => data.writeRanges(ranges, bytes, options),
    (data, options) => data.writeStream([{ offset: 0, data: bytes }], options),
    (data, options) => data.zero(Float64Array.of(HOLE.from, 512), options),
    (data, options) => data.flush(options),
  ];
}

function pairs(ranges: Ranges): [number, number][] {
  return Array.from({ length: ranges.length / 2 }, (_, i) => [ranges[2 * i]!, ranges[2 * i + 1]!]);
}

function cut(bytes: Buffer, ranges: Ranges): Buffer {
  return Buffer.concat(pairs(ranges).map(([offset, length]) => bytes.subarray(offset, offset + length)));
}

async function collect(stream: AsyncIterable<{ data: Buffer }>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const { data } of stream) parts.push(Buffer.from(data));
  return Buffer.concat(parts);
}

/** How it ended. */
async function settled(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'answered',
    (error: { code?: string }) => error.code ?? String(error),
  );
}
