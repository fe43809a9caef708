/**
 * Making an image × every call to the file system and every program: a code that says what went wrong, or the whole of it. No image is
 * left that nobody has, nothing is held open, and trying again works. In the gate some steps; EVERY_STEP=1 for all.
 */
import { rename } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { atEveryStep, type Faults } from '../../helpers/atEveryStep.js';
import { FILE_FAULTS, fileFaults } from '../../helpers/fileFaults.js';
import { openFilesBelow } from '../../helpers/openFiles.js';
import { PROGRAM_FAULTS, programFaults } from '../../helpers/programFaults.js';
import { filesInFolder, path, prl, ref, useLibrary } from './support.js';

useLibrary();

const ALL = process.env['EVERY_STEP'] !== undefined;
const OF_FILES: readonly { kind: string; faults: () => Promise<Faults>; every: number }[] = FILE_FAULTS.map(
  (kind) => ({ kind, faults: () => fileFaults(kind), every: { ENOSPC: 2, EIO: 11, EACCES: 5 }[kind] }),
);
const OF_PROGRAMS = PROGRAM_FAULTS.map((kind) => ({
  kind,
  faults: async () => programFaults(kind),
  every: 1,
}));
const steps = (every: number) => (ALL ? {} : { every, from: 1 + (every > 3 ? 2 : 0) });

describe('PrlDisk_CreateDisk_Local', () => {
  test.each([...OF_FILES, ...OF_PROGRAMS])('$kind', async ({ faults, every }) => {
    const create = async (): Promise<number> => {
      const disk = ref<number>();
      const code = await prl.PrlDisk_CreateDisk_Local(disk, path('new.qcow2'), { m_SizeInSectors: 2048 });
      if (code === prl.PRL_ERR_SUCCESS) await prl.PrlDisk_Free(Number(disk.value));
      return code;
    };
    let count = 0;
    await atEveryStep(
      await faults(),
      async () => {
        // The last one is moved out of the way.
        count += 1;
        if (filesInFolder().includes('new.qcow2')) await rename(path('new.qcow2'), path(`made-${count}`));
      },
      create,
      async ({ failed, result, what }) => {
        if (!failed) expect(result).toBe(prl.PRL_ERR_SUCCESS);
        expect(result).not.toBe(prl.PRL_ERR_UNEXPECTED);
        expect((await openFilesBelow(path('.'))).join()).toBe('');
        const left = filesInFolder().filter((name) => !name.startsWith('made-'));
        const mayStay = (name: string): boolean => /unlink/.test(what ?? '') && name.endsWith('.part');
        if (result === prl.PRL_ERR_SUCCESS) expect(left).toEqual(['new.qcow2']);
        else {
          expect(left.filter((name) => !mayStay(name))).toEqual([]);
          expect(await create()).toBe(prl.PRL_ERR_SUCCESS);
        }
      },
      steps(every),
    );
  });
});
