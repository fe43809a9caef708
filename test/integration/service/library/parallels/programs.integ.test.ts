/** Compiled programs on libprl_sdk: its names as loaders of the SDK want them; every kind of call, in C, under sanitizers. */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { ImageTracking } from '../../../../../lib/host/imageTracking.js';
import { freshBuild } from '../../../../helpers/builtCommand.js';
import {
  compileProgram,
  describeLibrary,
  PRL_LIBRARY,
  runProgram,
} from '../../../../helpers/compiledProgram.js';
import { qemuImg, qemuIo, writeRecorded } from '../../../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const DECLARED = resolve(import.meta.dirname, '../../../../../scripts/sdk/parallels-functions.json');
const LOAD = resolve(import.meta.dirname, 'clients/load.py');

let work: TemporaryFolder;
beforeAll(async () => {
  await freshBuild();
  work = await makeTemporaryFolder();
});
afterAll(() => work.remove());

test('loaders find each of the 1102 names that they ask for, and every other one of the SDK', () => {
  const told = execFileSync('/usr/bin/python3', [LOAD, PRL_LIBRARY, DECLARED], { encoding: 'utf8' });
  expect(JSON.parse(told)).toEqual({ declared: 1278, current: 1102, missing: [] });
});

test('it gives no other name, needs the C library alone, and takes no newer glibc than 2.34', () => {
  const { names, needed, soname, staysLoaded, glibcMinor } = describeLibrary(PRL_LIBRARY);
  expect(names.filter((name) => !/^Prl[A-Z]/.test(name))).toEqual([]);
  expect(names).toHaveLength(1278);
  expect(needed.filter((name) => !/^(libc|ld-linux-[\w-]+)\.so/.test(name))).toEqual([]);
  expect(soname).toBe('libprl_sdk.so.7');
  expect(staysLoaded).toBe(true);
  expect(glibcMinor).toBeLessThanOrEqual(34);
});

test.each(['address,undefined', 'thread'])(
  'calls of every kind, in a program under sanitizers: %s',
  async (sanitizers) => {
    const folder = await makeTemporaryFolder();
    onTestFinished(() => folder.remove());
    const [file, none] = [join(folder.path, 'd.qcow2'), join(folder.path, 'no-vms')];
    await mkdir(none);
    await qemuImg('create', '-q', '-f', 'qcow2', file, '64M');
    await qemuIo([file], 'write -P 7 1M 2M');
    const { pit } = await new ImageTracking([file]).enable();
    await writeRecorded(file, [[1 << 20, 128 << 10]]);
    await qemuIo(['-f', 'qcow2', file], 'write -P 7 1M 128k');
    const program = await compileProgram('calls', work.path, sanitizers, [], 'parallels');
    const args = [folder.path, file, `{${pit}}`];
    expect(await runProgram(program, args, { QEMU_CBT_VMS: none })).toBe('all calls\n');
  },
);
