/** A record that is replaced in place: whole after a crash at any byte, and in no need of space that a full disk has not. */
import { link, mkdir, open, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readRecord, writeRecord } from '../../../lib/linux/record.js';
import { SmallFileSystem } from '../../helpers/smallFileSystem.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let file: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  file = join(folder.path, 'record');
});
afterEach(() => folder.remove());

test('holds what was written last, in the same file', async () => {
  expect(await readRecord(file)).toBeNull();
  await writeRecord(file, 'one');
  const { ino, size } = await stat(file);
  // A lock on the file, or another name of it, stays one of the record.
  await link(file, `${file}.too`);
  for (const text of ['two', 'ünïcode', '', 'x'.repeat(size / 2 - 200)]) {
    await writeRecord(file, text);
    expect(await readRecord(file)).toBe(text);
    expect(await readRecord(`${file}.too`)).toBe(text);
  }
  expect(await stat(file)).toMatchObject({ ino, size });
});

test('a replacement that was cut off at any byte leaves the one before it, or is whole', async () => {
  await writeRecord(file, 'first');
  await writeRecord(file, 'second');
  const before = await readFile(file);
  await writeRecord(file, 'third');
  const after = await readFile(file);
  const changed = [...after.keys()].filter((i) => after[i] !== before[i]);
  const [from = 0, to = 0] = [changed[0], changed.at(-1)];
  for (let cut = from; cut <= to + 1; cut++) {
    await writeFile(file, Buffer.concat([after.subarray(0, cut), before.subarray(cut)]));
    expect(['second', 'third']).toContain(await readRecord(file));
    await writeRecord(file, 'fourth');
    expect(await readRecord(file)).toBe('fourth');
  }
});

test('a first write that was cut off is no record, and is written anew', async () => {
  await writeRecord(file, 'text');
  const whole = await readFile(file);
  for (const bytes of [0, 1, 60, 90, 4096]) {
    await writeFile(file, whole.subarray(0, bytes));
    expect(await readRecord(file)).toBeNull();
    await writeRecord(file, 'anew');
    expect(await readRecord(file)).toBe('anew');
  }
  await truncate(file, 100 << 20);
  expect(await readRecord(file)).toBeNull();
});

describe('on a full disk', () => {
  test('an existing record can be replaced, a new one says why not', async () => {
    await using small = await SmallFileSystem.mount(1 << 20);
    const record = small.file('record');
    await writeRecord(record, 'begun');
    await small.fill();
    for (let n = 0; n < 5; n++) {
      await writeRecord(record, `ending ${n}`);
      expect(await readRecord(record)).toBe(`ending ${n}`);
    }
    await expect(writeRecord(small.file('another'), 'x')).rejects.toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      details: { errno: 'ENOSPC' },
    });
    expect(await readRecord(small.file('another'))).toBeNull();
  });
});

test('a text that outgrows its file is refused, and the one before it stays', async () => {
  await writeRecord(file, 'small');
  await expect(writeRecord(file, 'x'.repeat(1 << 20))).rejects.toThrow(
    /has 1048576 bytes, and its file holds/,
  );
  expect(await readRecord(file)).toBe('small');
  const roomy = `${file}.roomy`;
  await writeRecord(roomy, 'x'.repeat(1 << 20));
  await writeRecord(roomy, 'y'.repeat((2 << 20) - 200));
  expect(await readRecord(roomy)).toHaveLength((2 << 20) - 200);
});

test('what is no regular file is neither read nor written', async () => {
  await writeFile(`${file}.target`, 'theirs');
  await symlink(`${file}.target`, file);
  await expect(writeRecord(file, 'ours')).rejects.toThrow();
  expect(await readRecord(file)).toBeNull();
  expect(await readFile(`${file}.target`, 'utf8')).toBe('theirs');
  await mkdir(`${file}.folder`);
  expect(await readRecord(`${file}.folder`)).toBeNull();
  await using handle = await open(file.replace(/record$/, 'other'), 'w');
  await handle.write('record 1 5 00');
  expect(await readRecord(file.replace(/record$/, 'other'))).toBeNull();
});
