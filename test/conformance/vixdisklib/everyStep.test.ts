/**
 * Making, copying, renaming and removing images × every call to the file system and every program: a code that says what went wrong,
 * or the whole of it. The old files stand or the new ones, none beside them, nothing is held open, and trying again works. In the gate
 * some calls of each; EVERY_STEP=1 for all.
 */
import { createHash } from 'node:crypto';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { atEveryStep, type Faults } from '../../helpers/atEveryStep.js';
import { FILE_FAULTS, fileFaults } from '../../helpers/fileFaults.js';
import { openFilesBelow } from '../../helpers/openFiles.js';
import { PROGRAM_FAULTS, programFaults } from '../../helpers/programFaults.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { connect, makeImage, path, QCOW2, useLibrary, vix } from './support.js';

useLibrary();

const ALL = process.env['EVERY_STEP'] !== undefined;
const at = (name: string): string => path(join('case', name));
const metadata = (name: string): string => `${name}.metadata.json`;
let connection: vix.VixDiskLibConnection;

// An image with metadata, and another one.
beforeEach(async () => {
  connection = await connect();
  const master = path('master');
  await cp(await makeImage('a.qcow2', 1 << 20, ['write -P 5 0 64k']), join(master, 'a.qcow2'));
  await cp(await makeImage('b.qcow2', 1 << 20, ['write -P 6 0 64k']), join(master, 'b.qcow2'));
  await cp(await makeImage('a.vmdk'), join(master, 'a.vmdk'));
  await writeFile(join(master, metadata('a.qcow2')), '{"key":"value"}\n');
});

async function filesNow(): Promise<Record<string, string>> {
  const names = (await readdir(path('case'))).sort();
  const sums = names.map(async (name) => {
    const bytes = await readFile(at(name)).catch(() => Buffer.from('a folder'));
    return [name, createHash('sha256').update(bytes).digest('hex')] as const;
  });
  return Object.fromEntries(await Promise.all(sums));
}

interface Operation {
  name: string;
  run(): Promise<number>;
  /** Names that it makes anew, or anew with other content. */
  makes: readonly string[];
  removes?: readonly string[];
  /** Names that it may have left when it failed, for the next try to remove. */
  leaves?: readonly string[];
  /** What it made is as it is to be. */
  whole(): Promise<void>;
}

const alike = async (a: string, b: string): Promise<void> => {
  expect(await qemuImg('compare', '-f', 'qcow2', '-F', 'qcow2', a, b)).toContain('identical');
};
const blank = (name: string, format: string) => (): Promise<void> =>
  qemuIo(['-r', '-f', format, at(name)], 'read -P 0 0 1M').then(() => undefined);
const params = (diskType: vix.VixDiskLibDiskType) => ({ ...QCOW2, diskType });
const create = (name: string, diskType: vix.VixDiskLibDiskType, makes: readonly string[] = [name]) => ({
  name: `Create ${makes.join(', ')}`,
  run: () => vix.VixDiskLib_Create(connection, at(name), params(diskType)),
  makes,
  whole: blank(name, name.endsWith('.vmdk') ? 'vmdk' : 'qcow2'),
});
const clone = (to: string, overWrite: boolean) => ({
  name: `Clone to ${to}`,
  run: () =>
    vix.VixDiskLib_Clone(connection, at(to), connection, at('a.qcow2'), QCOW2, null, null, overWrite),
  makes: [to],
  whole: () => alike(at(to), at('a.qcow2')),
});

const OPERATIONS: readonly Operation[] = [
  create('new.qcow2', vix.VIXDISKLIB_DISK_MONOLITHIC_SPARSE),
  create('new.vmdk', vix.VIXDISKLIB_DISK_MONOLITHIC_FLAT, ['new.vmdk', 'new-flat.vmdk']),
  clone('new.qcow2', false),
  clone('b.qcow2', true),
  {
    name: 'Rename',
    run: () => vix.VixDiskLib_Rename(at('a.qcow2'), at('new.qcow2')),
    makes: ['new.qcow2', metadata('new.qcow2')],
    removes: ['a.qcow2', metadata('a.qcow2')],
    whole: async () => {
      await alike(at('new.qcow2'), path('a.qcow2'));
      expect(await readFile(at(metadata('new.qcow2')), 'utf8')).toBe('{"key":"value"}\n');
    },
  },
  {
    name: 'Unlink',
    run: () => vix.VixDiskLib_Unlink(connection, at('a.qcow2')),
    makes: [],
    removes: ['a.qcow2', metadata('a.qcow2')],
    leaves: [metadata('a.qcow2')],
    whole: async () => undefined,
  },
];

const KINDS: readonly { kind: string; faults: () => Promise<Faults> }[] = [
  ...FILE_FAULTS.map((kind) => ({ kind, faults: () => fileFaults(kind) })),
  ...PROGRAM_FAULTS.map((kind) => ({ kind, faults: async () => programFaults(kind) })),
];
const EVERY: Readonly<Record<string, number>> = { ENOSPC: 2, EIO: 7, EACCES: 5 };

describe.each(OPERATIONS)('$name', ({ name, run, makes, removes = [], leaves = [], whole }) => {
  test.each(KINDS)('$kind', async ({ kind, faults }) => {
    const every = ALL ? 1 : (EVERY[kind] ?? 1);
    const met = await atEveryStep(
      await faults(),
      async () => {
        await rm(path('case'), { recursive: true, force: true });
        await cp(path('master'), path('case'), { recursive: true });
        return filesNow();
      },
      run,
      async ({ world: before, failed, what, result: code }) => {
        if (!failed) expect(code).toBe(vix.VIX_OK);
        // The code of what nobody knows would tell nothing.
        expect(code).not.toBe(vix.VIX_E_FAIL);
        expect((await openFilesBelow(path('.'))).join()).toBe('');
        const now = await filesNow();
        const mayStay = /\b(rm|rmdir|unlink)\b/.test(what ?? '') ? /\.part$|\.vmdk\.\w{6}$/ : /$^/;
        const known = Object.entries(now).filter(([file]) => !mayStay.test(file));
        const isOld = JSON.stringify(Object.fromEntries(known)) === JSON.stringify(before);
        const kept = Object.keys(before).filter((file) => !removes.includes(file));
        const made = [...new Set([...kept, ...makes])].sort();
        const isLeft =
          leaves.length > 0 && known.map(([file]) => file).join() === [...kept, ...leaves].sort().join();
        if (code === vix.VIX_OK) expect(isOld || isLeft).toBe(false);
        if (isOld || isLeft) expect(await run()).toBe(vix.VIX_OK);
        else expect(known.map(([file]) => file)).toEqual(made);
        expect(Object.keys(await filesNow()).filter((file) => !mayStay.test(file))).toEqual(made);
        await whole();
      },
      { every, from: 1 + (name.length % every) },
    );
    if (kind.startsWith('E') && kind !== 'ENOSPC') expect(met).toBeGreaterThan(0);
  });
});
