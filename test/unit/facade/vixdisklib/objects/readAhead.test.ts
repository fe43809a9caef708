import { describe, expect, test } from 'vitest';
import { Gate } from '../../../../../lib/facade/vixdisklib/objects/gate.js';
import { ReadAhead } from '../../../../../lib/facade/vixdisklib/objects/readAhead.js';
import { ReadMemory } from '../../../../../lib/facade/vixdisklib/objects/readMemory.js';

const MIB = 1 << 20;
const SIZE = 40 * MIB + 512;
const byteAt = (offset: number): number => (offset * 31 + (offset >>> 12)) & 255;

function fill(offset: number, into: Uint8Array): void {
  for (let i = 0; i < into.length; i += 1) into[i] = byteAt(offset + i);
}

/** A reader over a disk whose bytes tell their place; `bad` is an offset that cannot be read. */
function reader(bad = -1) {
  const asked: [number, number][] = [];
  const ahead = new ReadAhead(SIZE, new ReadMemory(), async (offset, into) => {
    asked.push([offset, into.length]);
    if (bad >= offset && bad < offset + into.length) throw new Error('bad sector');
    fill(offset, into);
  });
  return { ahead, asked };
}

async function expectRead(ahead: ReadAhead, offset: number, bytes: number): Promise<number> {
  if (!ahead.follows(offset, bytes)) return -1;
  const into = Buffer.alloc(bytes);
  const done = await ahead.read(offset, into);
  const expected = Buffer.alloc(done);
  fill(offset, expected);
  expect(into.subarray(0, done).equals(expected)).toBe(true);
  return done;
}

describe('ReadAhead', () => {
  test('begins with the third read in a row, and every byte is of its place up to the end of the disk', async () => {
    const { ahead } = reader();
    const step = 3 * MIB + 1024;
    const done: number[] = [];
    for (let at = 0; at < SIZE; at += step) done.push(await expectRead(ahead, at, Math.min(step, SIZE - at)));
    expect(done.slice(0, 2)).toEqual([-1, -1]);
    expect(done.slice(2)).toEqual(done.slice(2).map((_, i) => Math.min(step, SIZE - (i + 2) * step)));
  });

  test('a read elsewhere ends it; what is asked ahead is bounded', async () => {
    const { ahead, asked } = reader();
    for (const at of [0, 1, 2]) await expectRead(ahead, at * MIB, MIB);
    const furthest = Math.max(...asked.map(([offset, length]) => offset + length));
    expect(furthest).toBeLessThanOrEqual(3 * MIB + 16 * MIB);
    expect(ahead.follows(30 * MIB, MIB)).toBe(false);
    expect(ahead.follows(3 * MIB, MIB)).toBe(false);
    const before = asked.length;
    expect(ahead.follows(4 * MIB, MIB)).toBe(false);
    expect(asked.length).toBe(before);
  });

  test('a place that cannot be read is left to the read that asks for it', async () => {
    const { ahead } = reader(5 * MIB + 7);
    for (const at of [0, 1, 2, 3]) expect(await expectRead(ahead, at * MIB, MIB)).not.toBe(0);
    expect(await expectRead(ahead, 4 * MIB, 2 * MIB)).toBe(MIB);
  });
});

describe('Gate', () => {
  test('lets through what fits, in order, and what is too long alone', async () => {
    const gate = new Gate(10);
    let inside = 0;
    let most = 0;
    const order: number[] = [];
    const sizes = [6, 6, 3, 25, 1, 1];
    await Promise.all(
      sizes.map((bytes, i) =>
        gate.run(bytes, async () => {
          order.push(i);
          inside += bytes;
          if (bytes <= 10) most = Math.max(most, inside);
          else expect(inside).toBe(bytes);
          await new Promise((resolve) => setImmediate(resolve));
          inside -= bytes;
        }),
      ),
    );
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    expect(most).toBeLessThanOrEqual(10);
    await expect(gate.run(5, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await gate.run(10, async () => 'room')).toBe('room');
  });
});
