/** A backup of a running disk, watched by everything that can watch: the channels, a logger, OpenTelemetry, NODE_DEBUG. */
import { execFile } from 'node:child_process';
import { tracingChannel } from 'node:diagnostics_channel';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { vmSource } from '../../../lib/backup/vmSource.js';
import { connectVm } from '../../../lib/host/vm.js';
import {
  type BackupMessage,
  CHANNELS,
  type QmpMessage,
  type StreamMessage,
  type WatchMessage,
} from '../../../lib/watch/messages.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const SIZE = 8 << 20;
let folder: TemporaryFolder;
let daemon: StorageDaemon;
const stops: (() => void)[] = [];

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, 'd'), String(SIZE));
  daemon = await StorageDaemon.start({ disks: [{ node: 'd', file: join(folder.path, 'd') }] });
  await daemon.exportWritable('d');
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

/** Every message that was begun, by its channel; each must have ended by the time it is looked at. */
function watchAll(): Map<string, WatchMessage[]> {
  return new Map(
    CHANNELS.map((name) => {
      const begun: WatchMessage[] = [];
      const listeners = { start: (message: unknown) => void begun.push(message as WatchMessage) };
      const channel = tracingChannel(name);
      channel.subscribe(listeners as never);
      stops.push(() => void channel.unsubscribe(listeners as never));
      return [name, begun];
    }),
  );
}

test('every step of a run is told with the VM, the disk, the point and the session', async () => {
  const told = watchAll();
  const of = <M extends WatchMessage>(name: string): M[] => told.get(name) as M[];
  const lines: string[] = [];
  const level = (_: object, text: string): void => void lines.push(text);
  const logger = { debug: level, info: level, warn: level, error: level };
  const vm = await connectVm(daemon.process.file('qmp.sock'), { logger });
  const to = join(folder.path, 'backup');
  const source = vmSource(vm, { nbdSocket: daemon.nbdPath, scratch: { folder: folder.path } });
  await daemon.guestIo('d', 'write -P 0x41 0 1M');
  await backup(source, { to });
  // The guest writes by libnbd from this process too.
  await daemon.guestIo('d', 'write -P 0x41 512k 64k', 'write -P 0x41 4M 128k');
  for (const messages of told.values()) messages.length = 0;
  lines.length = 0;
  const { run, pit, disks } = await backup(source, { to, logger });
  expect(disks).toMatchObject([{ disk: 'd', verdict: 'incremental', changedBytes: 192 << 10 }]);

  const names = { vm: vm.key, pit, session: pit, error: null, durationMs: expect.any(Number) };
  expect(of<BackupMessage>('qemu-cbt:backup')).toEqual([
    { ...names, operation: 'backup', disk: null, folder: to, run },
    { ...names, operation: 'copy', disk: 'd', folder: to, run },
  ]);
  const calls = of('qemu-cbt:session').filter(({ session }) => session !== null);
  expect(new Set(calls.map(({ operation }) => operation))).toEqual(
    new Set(['begin', 'openDisk', 'openData', 'check', 'commit']),
  );
  for (const call of calls) expect(call).toMatchObject({ ...names, disks: ['d'] });
  // The bytes: each by the session that it was read in.
  const streams = of<StreamMessage>('qemu-cbt:stream');
  const read = streams.filter(({ operation }) => operation === 'stream' || operation === 'read');
  expect(read.length).toBeGreaterThan(0);
  for (const message of read) expect(message).toMatchObject({ ...names, disk: 'd' });
  expect(read.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(192 << 10);
  // A daemon refuses what only a system emulator has; whoever asked knows.
  const commands = of<QmpMessage>('qemu-cbt:qmp').filter(({ error }) => error === null);
  for (const command of commands) expect(command).toMatchObject({ vm: vm.key });
  const taking = commands.filter((one) => JSON.stringify(one.arguments).includes(`.${pit}"`));
  expect(taking.map(({ operation }) => operation)).toContain('transaction');
  const ending = commands.filter(({ operation }) => operation === 'block-export-del');
  expect(ending.length).toBeGreaterThan(0);
  for (const command of [...taking, ...ending]) expect(command).toMatchObject({ session: pit, pit });

  const all = [...told.values()].flat();
  for (const message of all) expect(message.durationMs, message.operation).not.toBeNull();
  expect(JSON.stringify(all)).not.toMatch(/A{8}|(?:65,){8}/);
  expect(lines).toHaveLength(all.length);
  expect(lines.filter((line) => line.startsWith('backup '))).toEqual([
    expect.stringMatching(`^backup copy d session ${pit} done in \\d+ ms$`),
    expect.stringMatching(/^backup backup/),
  ]);
  await vm.close();
});

test('a failure is told where it happened, and in all that it is part of', async () => {
  const vm = await connectVm(daemon.process.file('qmp.sock'));
  const source = vmSource(vm, { nbdSocket: daemon.nbdPath, scratch: { folder: folder.path } });
  const told = watchAll();
  await daemon.process.kill();
  const failed = await backup(source, { to: join(folder.path, 'backup') }).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 'ERR_CBT_CONNECTION_LOST' });
  expect(told.get('qemu-cbt:backup')).toMatchObject([{ operation: 'backup', error: failed }]);
  expect(told.get('qemu-cbt:session')).toMatchObject([{ operation: 'facts', error: failed }]);
  await vm.close();
});

test('NODE_DEBUG prints a line for each operation on stderr, and nothing on stdout', async () => {
  const command = fileURLToPath(new URL('../../../bin/qemu-cbt.js', import.meta.url));
  const env = { ...process.env, NODE_DEBUG: 'qemu-cbt' };
  const socket = daemon.process.file('qmp.sock');
  const { stdout, stderr } = await promisify(execFile)(
    'node',
    [command, 'enable', '--vm', socket, '--json'],
    { env },
  );
  const { pit } = JSON.parse(stdout) as { pit: string };
  const lines = stderr.split('\n').filter((line) => line.startsWith('QEMU-CBT '));
  expect(lines).toContainEqual(expect.stringMatching(/^QEMU-CBT \d+: session enable done in \d+ ms$/));
  expect(lines).toContainEqual(expect.stringMatching(/^QEMU-CBT \d+: qmp transaction done in \d+ ms$/));
  expect(pit).toMatch(/^[0-9a-f-]{36}$/);
});
