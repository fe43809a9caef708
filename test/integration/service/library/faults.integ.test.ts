/** Compiled programs whose command, or the server of whose disk, answers badly; whose threads end what others use; under sanitizers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { compileProgram, runProgram } from '../../../helpers/compiledProgram.js';
import { eventually } from '../../../helpers/eventually.js';
import { qemuImg } from '../../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../helpers/temporaryFolder.js';

const COMMAND = resolve(import.meta.dirname, 'clients/command.py');
/** Instead of a minute. */
const SILENCE_MS = 5000;
const SANITIZERS = ['address,undefined', 'thread'] as const;

let work: TemporaryFolder;
const programs = new Map<string, string>();
beforeAll(async () => {
  work = await makeTemporaryFolder();
  await chmod(COMMAND, 0o755);
  for (const sanitizers of SANITIZERS)
    programs.set(
      sanitizers,
      await compileProgram('faults', work.path, sanitizers, [`-DCBT_SILENCE_MS=${SILENCE_MS}`]),
    );
});
afterAll(() => work.remove());

const run = (sanitizers: string, what: string, argument: string, env: Record<string, string> = {}) =>
  runProgram(programs.get(sanitizers) ?? '', [what, argument], { QEMU_CBT_COMMAND: COMMAND, ...env });

/** A server of an empty disk, which ends with the test. */
async function startServer(): Promise<{ server: ChildProcess; uri: string }> {
  const folder = await makeTemporaryFolder();
  const [file, socket] = [join(folder.path, 'd.qcow2'), join(folder.path, 's')];
  await qemuImg('create', '-q', '-f', 'qcow2', file, '1M');
  const server = spawn('qemu-nbd', ['--persistent', '--shared=4', '-f', 'qcow2', '-k', socket, file]);
  onTestFinished(async () => {
    server.kill('SIGKILL');
    await folder.remove();
  });
  await eventually(() => stat(socket));
  return { server, uri: `nbd+unix:///?socket=${socket}` };
}

test.each(SANITIZERS)(
  'a file of the program is not written to where no command can be started: %s',
  async (sanitizers) => {
    expect(await run(sanitizers, 'descriptors', join(work.path, `own-${sanitizers}`))).toBe('done\n');
  },
);

test.each(SANITIZERS)(
  'a command that says nothing is taken for gone, whoever waits for it: %s',
  async (sanitizers) => {
    expect(await run(sanitizers, 'silent', '')).toBe('done\n');
  },
);

test.each(SANITIZERS)('answers that lack what was asked for are no success: %s', async (sanitizers) => {
  expect(await run(sanitizers, 'short', '')).toBe('done\n');
});

test.each(SANITIZERS)('a server that says nothing ends its reads with a reason: %s', async (sanitizers) => {
  const { server, uri } = await startServer();
  expect(await run(sanitizers, 'stuck', String(server.pid), { SERVER: uri })).toBe('done\n');
});

test.each(SANITIZERS)(
  'a server that is gone before the first asynchronous read is told at once: %s',
  async (sanitizers) => {
    const { server, uri } = await startServer();
    expect(await run(sanitizers, 'gone', String(server.pid), { SERVER: uri })).toBe('done\n');
  },
);

test.each(SANITIZERS)(
  'disks that are opened or closed while their connection ends: %s',
  async (sanitizers) => {
    expect(await run(sanitizers, 'threads', '')).toBe('done\n');
  },
);

test.each(SANITIZERS)('Wait and Flush do not wait for what other threads read: %s', async (sanitizers) => {
  expect(await run(sanitizers, 'waits', '')).toBe('done\n');
});

test.each(SANITIZERS)('a copy of the program by fork does not keep its command: %s', async (sanitizers) => {
  const ended = join(work.path, `ended-${sanitizers}`);
  expect(await run(sanitizers, 'copies', ended, { ENDED: ended })).toBe('done\n');
});

test.each(SANITIZERS)('the log function of the program may call the library: %s', async (sanitizers) => {
  expect(await run(sanitizers, 'logs', '')).toBe('done\n');
});

test.each(SANITIZERS)('a command that reads no more does not hold who writes: %s', async (sanitizers) => {
  expect(await run(sanitizers, 'deaf', '')).toBe('done\n');
});

test.each(SANITIZERS)(
  'the log function may close the disk whose read it is told of: %s',
  async (sanitizers) => {
    const { server, uri } = await startServer();
    expect(await run(sanitizers, 'closes', String(server.pid), { SERVER: uri })).toBe('done\n');
  },
);
