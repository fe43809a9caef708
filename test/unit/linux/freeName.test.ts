/** Names that are free are taken, and nobody's else; what fails leaves the file where it was. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { moveToFreeName } from '../../../lib/linux/freeName.js';
import { atEveryStep } from '../../helpers/atEveryStep.js';
import { FILE_FAULTS, fileFaults } from '../../helpers/fileFaults.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(() => folder.remove());
const at = (name: string): string => join(folder.path, name);

test('a name that somebody has stays his', async () => {
  await writeFile(at('from'), 'mine');
  await writeFile(at('to'), 'his');
  await expect(moveToFreeName(at('from'), at('to'))).rejects.toMatchObject({
    reason: 'BUSY',
    details: { errno: 'EEXIST' },
  });
  expect(await readFile(at('to'), 'utf8')).toBe('his');
  expect(await readFile(at('from'), 'utf8')).toBe('mine');
});

test.each(FILE_FAULTS)(
  '%s at any of its calls: the file has its old name alone, or its new one',
  async (code) => {
    await atEveryStep(
      await fileFaults(code),
      async () => {
        await rm(at('to'), { force: true });
        await writeFile(at('from'), 'mine');
      },
      () => moveToFreeName(at('from'), at('to')),
      async ({ error }) => {
        expect(await readdir(folder.path)).toEqual([error === undefined ? 'to' : 'from']);
      },
    );
  },
);
