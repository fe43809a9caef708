/** Compiled programs on libvixDiskLib: in C under sanitizers, in Python over ctypes; and what is left when one of both sides dies. */
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import {
  compileProgram,
  describeLibrary,
  LIBRARY,
  PYTHON_PROGRAM,
  runProgram,
  startPython,
} from '../../../helpers/compiledProgram.js';
import { eventually } from '../../../helpers/eventually.js';
import { qemuImg, qemuIo } from '../../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../helpers/temporaryFolder.js';
import { Stepper } from '../../../helpers/vim/stepper.js';

let work: TemporaryFolder;
beforeAll(async () => {
  work = await makeTemporaryFolder();
});
afterAll(() => work.remove());

async function makeDisk(): Promise<{ folder: string; file: string }> {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const file = join(folder.path, 'd.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, '64M');
  await qemuIo([file], 'write -P 7 1M 2M');
  return { folder: folder.path, file };
}

/** By the image's own server, and, on a machine without libnbd, through the command. */
const WAYS = { libnbd: {}, command: { QEMU_CBT_LIBNBD: '/nonexistent' } };

test.each([
  ['address,undefined', 'libnbd'],
  ['address,undefined', 'command'],
  ['thread', 'libnbd'],
  ['thread', 'command'],
] as const)('every call, in a program under sanitizers: %s, bytes by %s', async (sanitizers, way) => {
  const { folder, file } = await makeDisk();
  const program = await compileProgram('calls', work.path, sanitizers);
  expect(await runProgram(program, [folder, file], WAYS[way])).toBe('all calls\n');
  await expect(qemuIo([file], 'write 0 512')).resolves.toBeDefined();
});

test('the orders of calls of public programs, with what is odd about each', async () => {
  const { folder, file } = await makeDisk();
  const program = await compileProgram('orders', work.path, 'address,undefined');
  expect(await runProgram(program, ['dumper', file])).toBe('2048+4096:7\ncleaned up\n');
  expect(await runProgram(program, ['goroutines', file])).toBe('');
  expect(await runProgram(program, ['short', folder])).toBe('');
  expect(JSON.parse(await qemuImg('info', '--output=json', join(folder, 'short.vmdk')))).toMatchObject({
    format: 'vmdk',
    'virtual-size': 1 << 20,
  });
});

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('Python over ctypes reads, writes, and is told in words what went wrong', async () => {
  const { folder, file } = await makeDisk();
  const { client, command } = await startPython();
  expect(await client.step('init')).toBe(0);
  expect(await client.step(`open ${file}`)).toBe(0);
  expect(await client.step('read 2048')).toBe('bytes 7');
  expect(await client.step('write 0 9')).toBe(0);
  expect(await client.step('read 0')).toBe('bytes 9');
  expect(await client.step(`open ${folder}/100%.qcow2`)).toBe(4);
  expect(await client.step('text 4')).toBe(
    `No such file, or no such disk: ${folder}/100%.qcow2 is not there`,
  );
  // A log that is printed as it is, without its list, has each % twice; what the program does with a % is its own.
  expect(await client.step('log')).toContain(`${folder}/100%%.qcow2 is not there`);
  const pid = await command();
  expect(runs(pid)).toBe(true);
  expect(await client.step('exit')).toBe('exit');
  await eventually(() => expect(runs(pid)).toBe(false));
  expect(await qemuIo([file], 'read -P 9 0 64k')).not.toContain('failed');
});

test('a program that is killed leaves nothing, and its image is free', async () => {
  const { file } = await makeDisk();
  const { client, command } = await startPython();
  await client.step('init');
  await client.step(`open ${file}`);
  await client.step('write 0 9');
  const pid = await command();
  client.kill();
  await eventually(() => expect(runs(pid)).toBe(false));
  await eventually(() => qemuIo([file], 'write 0 512'));
});

/** With a bitmap that QEMU loses where it is killed, and a program that wrote, and was told that it is safe. */
async function writeFlushed(): Promise<{ file: string } & Awaited<ReturnType<typeof startPython>>> {
  const { file } = await makeDisk();
  await qemuImg('bitmap', '--add', file, 'kept');
  const { client, command } = await startPython();
  expect(await client.step('init')).toBe(0);
  expect(await client.step(`open ${file}`)).toBe(0);
  expect(await client.step('write 0 9')).toBe(0);
  expect(await client.step('flush')).toBe(0);
  return { file, client, command };
}

async function expectWritten(file: string): Promise<void> {
  expect(await qemuIo([file], 'read -P 9 0 64k')).not.toContain('failed');
  const told = JSON.parse(await qemuImg('info', '--output=json', file)) as {
    'format-specific': { data: { bitmaps: unknown[] } };
  };
  expect(told['format-specific'].data.bitmaps).toMatchObject([{ name: 'kept', flags: ['auto'] }]);
}

test('a worker that a program forked, with copies of all that is open, keeps no disk from being closed', async () => {
  const { file, client } = await writeFlushed();
  expect(await client.step('worker')).toBe('worker');
  const began = performance.now();
  expect(await client.step('close')).toBe('0 0');
  expect(performance.now() - began).toBeLessThan(15_000);
  await expectWritten(file);
});

test('a command that is told to end while a program has a disk open brings all of it to safety', async () => {
  const { file, client, command } = await writeFlushed();
  const pid = await command();
  process.kill(pid, 'SIGTERM');
  await eventually(() => expect(runs(pid)).toBe(false));
  await expectWritten(file);
  expect(await client.step('close')).toBe('36 36');
});

test('what a program that is killed had asked of qemu-img ends with it, and the target stays', async () => {
  const { folder, file } = await makeDisk();
  const target = join(folder, 'target.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', target, '1M');
  const before = await readFile(target);
  // One that is not done for as long as anybody looks.
  const [slow, told] = [join(folder, 'slow-img'), join(folder, 'convert.pid')];
  await writeFile(
    slow,
    `#!/bin/sh\n[ "$1" = convert ] || exec qemu-img "$@"\necho $$ > ${told}\nexec sleep 600\n`,
  );
  await chmod(slow, 0o755);
  const { client, command } = await startPython({ QEMU_IMG: slow });
  await client.step('init');
  client.step(`clone ${file} ${target}`).catch(() => undefined);
  const convert = await eventually(async () => {
    const pid = Number(await readFile(told, 'utf8'));
    expect(pid).toBeGreaterThan(1);
    return pid;
  });
  const pid = await command();
  client.kill();
  await eventually(() => expect(runs(pid)).toBe(false));
  expect(runs(convert)).toBe(false);
  expect(await readFile(target)).toEqual(before);
  expect((await readdir(folder)).filter((name) => name.endsWith('.part'))).toEqual([]);
});

test('where the command is killed, every call says so and none hangs; the library can be begun again', async () => {
  const { file } = await makeDisk();
  const { client, command } = await startPython();
  await client.step('init');
  await client.step(`open ${file}`);
  process.kill(await command(), 'SIGKILL');
  await eventually(async () => expect(await client.step('read 0')).toBe(36));
  expect(await client.step('text 36')).toBe('There was no answer in time');
  expect(await client.step('close')).toBe('36 36');
  expect(await client.step('init')).toBe(0);
  await eventually(async () => expect(await client.step(`open ${file}`)).toBe(0));
  expect(await client.step('read 2048')).toBe('bytes 7');
});

test('a command that cannot run, or ends at once, is an error in words', async () => {
  const { folder } = await makeDisk();
  const wrapper = join(folder, 'broken');
  await writeFile(wrapper, '#!/bin/sh\necho this machine has no node >&2\nexit 3\n');
  const client = new Stepper('/usr/bin/python3', [PYTHON_PROGRAM, LIBRARY], { QEMU_CBT_COMMAND: wrapper });
  expect(await client.step('init')).toBe(16053);
  await chmod(wrapper, 0o755);
  expect(await client.step('init')).toBe(16053);
  const log = await client.step<string>('log');
  expect(log).toContain(`${wrapper} could not be started: Permission denied`);
  expect(log).toContain('ended before it answered: this machine has no node');
});

test('it gives exactly the names of the SDK, needs the C library alone, and takes no newer glibc than 2.34', () => {
  const { names, needed, soname, staysLoaded, glibcMinor } = describeLibrary(LIBRARY);
  expect(names.filter((name) => !/^VixDiskLib_[A-Z]/.test(name))).toEqual([]);
  expect(names).toHaveLength(43);
  expect(needed.filter((name) => !/^(libc|ld-linux-[\w-]+)\.so/.test(name))).toEqual([]);
  expect(soname).toBe('libvixDiskLib.so.8');
  expect(staysLoaded).toBe(true);
  expect(glibcMinor).toBeLessThanOrEqual(34);
});
