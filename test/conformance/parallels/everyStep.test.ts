/**
 * Making an image × every call to the file system and every program: a code that says what went wrong, or the whole of it. No image is
 * left that nobody has, nothing is held open, and trying again works. A backup of a running VM × every command to QEMU and every call to
 * the file system: the same of its session, and the next backup has all that was written since the last one that was kept. In the gate
 * some steps; EVERY_STEP=1 for all.
 */
import { readdir, rename, rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { atEveryStep, type Faults } from '../../helpers/atEveryStep.js';
import { FILE_FAULTS, fileFaults } from '../../helpers/fileFaults.js';
import { openFilesBelow } from '../../helpers/openFiles.js';
import { PROGRAM_FAULTS, programFaults } from '../../helpers/programFaults.js';
import { qmpFaults } from '../../helpers/qmpFaults.js';
import {
  bitsOf,
  codeOf,
  filesInFolder,
  handleOf,
  path,
  prl,
  ref,
  startVm,
  textOf,
  useLibrary,
} from './support.js';

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

/** What a backup came to: the code of each call, up to the first that failed. */
interface Run {
  codes: number[];
  backup: number | null;
  uuid: string;
  bits: number[];
}

describe('a backup from its begin to its end', () => {
  const OF_COMMANDS = (['refused', 'cut', 'unheard'] as const).map((kind) => ({
    kind: `command ${kind}`,
    faults: async () => qmpFaults(kind),
    every: 37,
  }));
  const OF_THE_FOLDER = FILE_FAULTS.map((kind) => ({
    kind,
    faults: () => fileFaults(kind),
    every: { ENOSPC: 5, EIO: 251, EACCES: 41 }[kind],
  }));

  const all = [...OF_COMMANDS, ...OF_THE_FOLDER];
  test.each(all.filter((_, at) => ALL || at % 3 === 2))('$kind', async ({ faults, every }) => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    let known = '';
    let grain = 0;
    /** Grains that the guest wrote since the last backup that was kept. */
    const since = new Set<number>();
    const write = async (): Promise<void> => {
      grain = (grain % 60) + 1;
      await daemon.guestIo('d', `write -P 7 ${grain * 64}k 64k`);
      since.add(grain);
    };
    const run = async (end: typeof prl.PrlVmBackup_Commit): Promise<Run> => {
      const job = prl.PrlVm_BeginBackup(vm, prl.PBMBF_CREATE_MAP);
      const done: Run = { codes: [await codeOf(job)], backup: null, uuid: '', bits: [] };
      const tell = (code: number): boolean => {
        done.codes.push(code);
        return code === prl.PRL_ERR_SUCCESS;
      };
      if (done.codes[0] !== prl.PRL_ERR_SUCCESS) return done;
      const backup = await handleOf(job);
      done.backup = backup;
      done.uuid = await textOf((text, length) => prl.PrlVmBackup_GetUuid(backup, text, length));
      const disk = ref<number>();
      if (!tell(await prl.PrlVmBackup_GetDisk(backup, 0, disk))) return done;
      const map = ref<number>();
      const from = known === '' ? null : known;
      if (!tell(await prl.PrlDisk_GetChangesMap_Local(Number(disk.value), from, null, map))) return done;
      done.bits = bitsOf(Number(map.value));
      if (!tell(await prl.PrlDisk_Read(Number(disk.value), Buffer.alloc(512), 512, 128 * grain))) return done;
      tell(await codeOf(end(backup)));
      return done;
    };
    const keep = async (): Promise<void> => {
      const { codes, uuid, bits } = await run(prl.PrlVmBackup_Commit);
      expect(codes.filter((code) => code !== prl.PRL_ERR_SUCCESS)).toEqual([]);
      expect(bits).toEqual(expect.arrayContaining([...since]));
      known = uuid;
      since.clear();
    };
    await write();
    await keep();
    const met = await atEveryStep(
      await faults(),
      write,
      () => run(prl.PrlVmBackup_Commit),
      async ({ failed, result, what }) => {
        const { codes, backup, uuid } = result!;
        if (!failed) expect(codes).toEqual([0, 0, 0, 0, 0]);
        expect(codes).not.toContain(prl.PRL_ERR_UNEXPECTED);
        if (codes.length === 5 && codes[4] === prl.PRL_ERR_SUCCESS) {
          known = uuid;
          since.clear();
        } else if (backup !== null) await codeOf(prl.PrlVmBackup_Rollback(backup));
        await write();
        await keep();
        const nodes = (await daemon.process.control.execute('query-named-block-nodes')) as object[];
        expect(JSON.stringify(nodes)).not.toMatch(/"node-name":"cbt/);
        for (const name of (await readdir(path('.'))).filter((one) => one.startsWith('cbt-'))) {
          // What may not be removed is nobody's, and goes when it is old.
          expect(what).toMatch(/\b(rm|rmdir|unlink)\b/);
          expect((await readdir(path(name))).filter((file) => file !== 'owner.lock')).toEqual([]);
          await rm(path(name), { recursive: true });
        }
      },
      ALL ? {} : { every, from: 2 },
    );
    expect(met).toBeGreaterThan(0);
  });
});
