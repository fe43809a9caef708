/** The sums file: what is written is read back, and nothing that breaks its rules is. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkSumsFile, readSums, type SumsEntry, SumsWriter } from '../../../lib/backup/sums.js';
import { refusalOf } from '../../helpers/refusal.js';

const C = 65_536;
const SIZE = 100 * C + 512;
const sha256 = 'a'.repeat(64);
let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cbt-'));
  path = join(folder, 'a.sums');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function readAll(): Promise<SumsEntry[]> {
  const all: SumsEntry[] = [];
  for await (const batch of readSums(path, SIZE)) all.push(...batch);
  return all;
}

describe('a sums file', () => {
  test('gives back what was written, zeros that touch as one', async () => {
    const writer = await SumsWriter.create(path, SIZE);
    await writer.add({ offset: 0, length: 2 * C, sha256 });
    await writer.add({ offset: 2 * C, length: C, sha256: null });
    await writer.add({ offset: 3 * C, length: 50 * C, sha256: null });
    await writer.add({ offset: 100 * C, length: 512, sha256 });
    const told = await writer.finish();
    await writer.close();
    await checkSumsFile(path, told);
    expect(await readAll()).toEqual([
      { offset: 0, length: 2 * C, sha256 },
      { offset: 2 * C, length: 51 * C, sha256: null },
      { offset: 100 * C, length: 512, sha256 },
    ]);
    for (const wrong of [
      { ...told, bytes: told.bytes + 1 },
      { ...told, bytes: told.bytes - 1 },
      { ...told, sha256 },
    ])
      expect((await refusalOf(checkSumsFile(path, wrong))).code).toBe('ERR_CBT_CORRUPT_IMAGE');
  });

  test.each([
    ['nothing', ''],
    ['another header', `qemu-cbt-sums 2 ${SIZE}\n`],
    ['another size', `qemu-cbt-sums 1 ${SIZE - 512}\n`],
    ['half a line', `qemu-cbt-sums 1 ${SIZE}\n0 65536 zer`],
    ['past the end', `qemu-cbt-sums 1 ${SIZE}\n${100 * C} 1024 zero\n`],
    ['out of order', `qemu-cbt-sums 1 ${SIZE}\n65536 65536 zero\n0 65536 zero\n`],
    ['overlapping', `qemu-cbt-sums 1 ${SIZE}\n0 131072 zero\n65536 65536 zero\n`],
    ['half a cluster', `qemu-cbt-sums 1 ${SIZE}\n0 512 ${sha256}\n`],
    ['off a cluster', `qemu-cbt-sums 1 ${SIZE}\n512 65536 zero\n`],
    ['data across a MiB', `qemu-cbt-sums 1 ${SIZE}\n${15 * C} 131072 ${sha256}\n`],
    ['a number too large', `qemu-cbt-sums 1 ${SIZE}\n9999999999999999 65536 zero\n`],
    ['a short sum', `qemu-cbt-sums 1 ${SIZE}\n0 65536 abc\n`],
    ['a long line', `qemu-cbt-sums 1 ${SIZE}\n0 65536 ${'a'.repeat(600_000)}`],
  ])('with %s is refused', async (_, text) => {
    await writeFile(path, text);
    expect((await refusalOf(readAll())).code).toBe('ERR_CBT_CORRUPT_IMAGE');
  });
});
