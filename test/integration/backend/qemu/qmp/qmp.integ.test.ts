import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { capabilitiesOf } from '../../../../../lib/backend/qemu/qmp/capabilities.js';
import { qmp } from '../../../../../lib/backend/qemu/qmp/commands.js';
import { QmpClient } from '../../../../../lib/backend/qemu/qmp/qmpClient.js';
import { QmpCommandError } from '../../../../../lib/backend/qemu/qmp/qmpError.js';
import { schemaOf } from '../../../../../lib/backend/qemu/qmp/qmpSchema.js';
import { qmpReplies } from '../../../../../lib/backend/qemu/qmp/schemas.js';
import { runTransaction, toTransactionAction } from '../../../../../lib/backend/qemu/qmp/transaction.js';
import { makeFolder, type QemuProcess, qemuImg } from '../../../../helpers/qemuProcess.js';
import { startQemuSystem } from '../../../../helpers/qemuSystem.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';

let folder: string;
let daemon: StorageDaemon;
let vm: QemuProcess;

beforeAll(async () => {
  folder = await makeFolder();
  for (const name of ['a', 'b', 'c']) {
    await qemuImg(['create', '-q', '-f', 'qcow2', path.join(folder, `${name}.qcow2`), '16M']);
  }
  daemon = await StorageDaemon.start({
    disks: [
      { node: 'a', file: path.join(folder, 'a.qcow2') },
      { node: 'b', file: path.join(folder, 'b.qcow2') },
    ],
  });
  await daemon.exportWritable('a', 'b');
  const blockdev = {
    driver: 'qcow2',
    'node-name': 'c',
    file: { driver: 'file', filename: path.join(folder, 'c.qcow2') },
  };
  vm = await startQemuSystem(['-blockdev', JSON.stringify(blockdev), '-device', 'virtio-blk,drive=c,id=vc']);
});

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await vm?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe.each([
  ['qemu-storage-daemon', () => daemon.process],
  ['qemu-system', () => vm],
])('%s', (kind, target) => {
  it('answers every question we ask in the form we check', async () => {
    await using client = await target().connect();
    const schema = await schemaOf(client);
    const questions = [
      'query-version',
      'query-block',
      'query-block-exports',
      'query-jobs',
      'query-block-jobs',
      'x-debug-query-block-graph',
      'query-named-block-nodes',
    ] as const;
    const answers = await Promise.all(questions.map((question) => qmp(client, question)));
    expect(answers.length).toBe(questions.length);
    expect(client.version?.qemu.major).toBeGreaterThanOrEqual(7);
    const flat = await qmp(client, 'query-named-block-nodes', { flat: true });
    expect(flat.map((node) => node['node-name'])).toContain(kind === 'qemu-system' ? 'c' : 'a');
    expect(schema.hasCommand('query-status')).toBe(kind === 'qemu-system');
    if (kind === 'qemu-system') expect(await qmp(client, 'query-status')).toMatchObject({ running: false });
  });

  it('knows every command we have types for, save those of the system emulator', async () => {
    await using client = await target().connect();
    const schema = await schemaOf(client);
    const missing = Object.keys(qmpReplies).filter((command) => !schema.hasCommand(command));
    const guestOnly = [
      'cont',
      'query-cpus-fast',
      'query-memory-size-summary',
      'query-name',
      'query-status',
      'query-uuid',
      'stop',
    ];
    expect(missing.sort()).toEqual(kind === 'qemu-system' ? [] : guestOnly);
  });

  it('serves one client at a time: the second one is told so', async () => {
    await using _first = await target().connect();
    const second = await QmpClient.connect(target().qmpPath, { timeoutMs: 1000 }).catch((e: unknown) => e);
    expect(second).toMatchObject({ code: 'ERR_CBT_TIMEOUT', reason: 'BUSY' });
    // More callers than the socket's queue holds are told at once.
    const more = await Promise.allSettled(
      [1, 2, 3].map(() => QmpClient.connect(target().qmpPath, { timeoutMs: 1000 })),
    );
    for (const result of more) {
      expect(result).toMatchObject({ status: 'rejected', reason: { reason: 'BUSY' } });
    }
  });

  it('answers odd but well-formed text, and refuses what it cannot read without losing the connection', async () => {
    await using client = await target().connect();
    const name = 'grüße \u{1f600} \\ud800 "quoted" \u2028';
    const error = await qmp(client, 'block-dirty-bitmap-remove', { node: 'nobody', name }).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(QmpCommandError);
    expect(error).toMatchObject({ qmpClass: 'GenericError', description: expect.stringContaining('nobody') });
    await expect(client.execute('query-version', { name: '\ud800' })).rejects.toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
    });
    await expect(client.execute('no-such-command')).rejects.toMatchObject({ code: 'ERR_CBT_UNSUPPORTED' });
    expect(client.open).toBe(true);
  });

  it('sees QEMU die in the middle', async () => {
    const own = await StorageDaemon.start();
    await using client = await own.process.connect();
    const pending = client.waitEvent(() => true).catch((e: unknown) => e);
    await own.process.kill();
    expect(await pending).toMatchObject({ code: 'ERR_CBT_CONNECTION_LOST' });
    await expect(qmp(client, 'query-version')).rejects.toMatchObject({
      code: 'ERR_CBT_CONNECTION_LOST',
      message: expect.stringContaining(own.process.qmpPath),
    });
    await expect(QmpClient.connect(own.process.qmpPath)).rejects.toMatchObject({
      message: expect.stringContaining('nobody listens'),
    });
    await own[Symbol.asyncDispose]();
  });
});

describe('capabilities', () => {
  it('finds what a QEMU of 7.2 or newer has, in the schema alone', async () => {
    await using client = await vm.connect();
    const capabilities = await capabilitiesOf(client);
    const missing = Object.entries(capabilities.list())
      .filter(([, there]) => !there)
      .map(([feature]) => feature);
    const newer = [
      'blockdev-backup on-cbw-error',
      'blockdev-backup x-perf.min-cluster-size',
      'nbd-server-start handshake-max-seconds',
      'query-named-block-nodes children',
    ];
    // QEMU 7.2 lacks exactly these; a newer one may have some of them.
    expect(newer).toEqual(expect.arrayContaining(missing));
    if (client.version?.qemu.major === 7) expect(missing.sort()).toEqual(newer);
    capabilities.require('transaction action blockdev-backup', 'snapshot-access driver');
  });

  it('names what is missing', async () => {
    await using client = await daemon.process.connect();
    const capabilities = await capabilitiesOf(client);
    expect(() => capabilities.require('block-export-add', 'stop and cont')).toThrow(
      expect.objectContaining({ code: 'ERR_CBT_UNSUPPORTED', message: 'this QEMU lacks stop and cont' }),
    );
  });

  it('walks arrays, alternates and variants, and never answers yes for what is not there', async () => {
    await using client = await daemon.process.connect();
    const schema = await schemaOf(client);
    expect(schema.hasArgument('transaction', 'actions', 'type=blockdev-backup', 'data', 'sync')).toBe(true);
    expect(schema.hasArgument('transaction', 'actions', 'type=blockdev-backup', 'data', 'nonsense')).toBe(
      false,
    );
    expect(schema.hasArgument('transaction', 'actions', 'type=nonsense')).toBe(false);
    expect(schema.hasArgument('transaction', 'actions', 'driver=blockdev-backup')).toBe(false);
    expect(schema.hasArgument('blockdev-add', 'driver=qcow2', 'node-name')).toBe(true);
    expect(schema.hasArgument('blockdev-add', 'driver=raw', 'backing')).toBe(false);
    expect(schema.hasArgument('no-such-command')).toBe(false);
    expect(schema.hasResult('query-named-block-nodes', 'dirty-bitmaps', 'inconsistent')).toBe(true);
    expect(schema.hasResult('query-named-block-nodes', 'image', 'no-such-member')).toBe(false);
  });

  it('asks once per connection', async () => {
    await using client = await daemon.process.connect();
    expect(await schemaOf(client)).toBe(await schemaOf(client));
  });
});

describe('transaction', () => {
  const bitmaps = async (client: QmpClient, node: string) => {
    const nodes = await qmp(client, 'query-named-block-nodes', { flat: true });
    const found = nodes.find((n) => n['node-name'] === node)?.['dirty-bitmaps'] ?? [];
    return Object.fromEntries(found.map((b) => [b.name, b]));
  };

  it('runs every bitmap action, in order, over several disks', async () => {
    await using client = await daemon.process.connect();
    await runTransaction(client, [
      { kind: 'add', node: 'a', name: 'one', granularityBytes: 4096, persistent: true },
      { kind: 'add', node: 'b', name: 'one' },
      { kind: 'add', node: 'a', name: 'two', granularityBytes: 65536, disabled: true },
    ]);
    await daemon.guestIo('a', 'write -P 1 64k 4k');
    await runTransaction(client, [
      {
        kind: 'merge',
        node: 'a',
        name: 'two',
        sources: [
          { node: 'a', name: 'one' },
          { node: 'b', name: 'one' },
        ],
      },
      { kind: 'disable', node: 'b', name: 'one' },
      { kind: 'clear', node: 'a', name: 'one' },
      { kind: 'add', node: 'b', name: 'three', disabled: true },
      { kind: 'enable', node: 'b', name: 'three' },
    ]);
    expect(await bitmaps(client, 'a')).toMatchObject({
      one: { count: 0, granularity: 4096, persistent: true, recording: true },
      two: { count: 65536, granularity: 65536, persistent: false, recording: false },
    });
    expect(await bitmaps(client, 'b')).toMatchObject({
      one: { recording: false },
      three: { recording: true },
    });
    await runTransaction(client, [
      { kind: 'remove', node: 'a', name: 'one' },
      { kind: 'remove', node: 'a', name: 'two' },
      { kind: 'remove', node: 'b', name: 'one' },
      { kind: 'remove', node: 'b', name: 'three' },
    ]);
    expect({ ...(await bitmaps(client, 'a')), ...(await bitmaps(client, 'b')) }).toEqual({});
  });

  it('does nothing at all when one action is refused', async () => {
    await using client = await daemon.process.connect();
    const refused = runTransaction(client, [
      { kind: 'add', node: 'a', name: 'kept' },
      { kind: 'add', node: 'b', name: 'kept' },
      { type: 'abort', data: {} },
    ]);
    await expect(refused).rejects.toBeInstanceOf(QmpCommandError);
    await expect(
      runTransaction(client, [
        { kind: 'add', node: 'a', name: 'kept' },
        { kind: 'remove', node: 'b', name: 'absent' },
      ]),
    ).rejects.toMatchObject({ command: 'transaction', description: expect.stringContaining('absent') });
    expect({ ...(await bitmaps(client, 'a')), ...(await bitmaps(client, 'b')) }).toEqual({});
  });

  it('runs an empty list without asking, and refuses a merge of nothing', async () => {
    await using client = await daemon.process.connect();
    await runTransaction(client, []);
    await expect(
      runTransaction(client, [{ kind: 'merge', node: 'a', name: 'x', sources: [] }]),
    ).rejects.toMatchObject({ code: 'ERR_CBT_INTERNAL' });
    expect(toTransactionAction({ kind: 'add', node: 'n', name: 'x' })).toEqual({
      type: 'block-dirty-bitmap-add',
      data: { node: 'n', name: 'x' },
    });
  });
});
