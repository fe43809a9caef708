/**
 * Every call of the objects that takes time ends with its caller's own signal and time, by a fault of the API, where a monitor or a
 * libvirt takes the connection and is silent. Nothing is left of it. A new method has to be in the table.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallOptions } from '../../../lib/core/callOptions.js';
import * as vim from '../../../lib/facade/vsphere/index.js';
import { eventually } from '../../helpers/eventually.js';
import { listenSilently, type SilentServer } from '../../helpers/silent.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

type Call = (own: CallOptions) => Promise<unknown>;

const UUID = '6f2b0d64-7d3a-4c0b-9a5f-0b3c5b1d2e3f';

let folder: TemporaryFolder;
let monitor: SilentServer;
let service: vim.ServiceInstance;
let index: vim.SearchIndex;
/** Its host file names a libvirt by now, which takes connections and is silent. */
let hosted: vim.ServiceInstance;
let libvirt: SilentServer;
/** Its monitor takes connections, and is silent. */
let vm: vim.VirtualMachine;
let snapshot: vim.VirtualMachineSnapshot;
/** Waits for the monitor, until it is cancelled. */
let task: vim.Task<unknown>;

/** Where somebody is asked who is silent. */
const silent: Record<string, Call> = {
  connectHost: (own) =>
    vim.connectHost({
      file: join(folder.path, 'host.yaml'),
      stateFolder: join(folder.path, 'state'),
      ...own,
    }),
  'ServiceInstance.reload': (own) => hosted.reload(own),
  'ServiceInstance.findVm': (own) => service.findVm('mute', own),
  'ServiceInstance.findByMoref': (own) => service.findByMoref(vm.value, own),
  'SearchIndex.FindByUuid': (own) => index.FindByUuid(null, UUID, true, false, own),
  'SearchIndex.FindAllByUuid': (own) => index.FindAllByUuid(null, UUID, true, false, own),
  'SearchIndex.FindByInventoryPath': (own) => index.FindByInventoryPath('ha-datacenter/vm/mute', own),
  'SearchIndex.FindByDatastorePath': (own) =>
    index.FindByDatastorePath(service.content.rootFolder.childEntity[0]!, '[local] mute/mute.vmx', own),
  'SearchIndex.FindChild': (own) =>
    index.FindChild(service.content.rootFolder.childEntity[0]!.vmFolder, 'mute', own),
  'VirtualMachine.refresh': (own) => vm.refresh(own),
  'VirtualMachine.QueryChangedDiskAreas': (own) => vm.QueryChangedDiskAreas(snapshot, 2000, 0, '*', own),
  // Behind the task.
  'VirtualMachineSnapshot.RenameSnapshot': (own) => snapshot.RenameSnapshot('another', undefined, own),
  'Task.wait': (own) => task.wait(own),
};

/** Where only files of this machine are read: nothing but a signal that fired is tried. */
const local: Record<string, Call> = {
  'SearchIndex.FindByDnsName': (own) => index.FindByDnsName(null, 'web', true, own),
  'VirtualMachine.findSnapshot': (own) => vm.findSnapshot('snapshot-1', own),
};

/** Nothing is waited for: what a task does is waited for by its `wait`. */
const AT_ONCE = [
  'connect',
  ...['RetrieveContent', 'CurrentTime'].map((name) => `ServiceInstance.${name}`),
  ...['ReconfigVM', 'CreateSnapshot', 'CreateSnapshotEx', 'RemoveAllSnapshots', 'ConsolidateVMDisks'].map(
    (name) => `VirtualMachine.${name}_Task`,
  ),
  'VirtualMachine.RevertToCurrentSnapshot_Task',
  ...['RemoveSnapshot_Task', 'RevertToSnapshot_Task'].map((name) => `VirtualMachineSnapshot.${name}`),
  ...['Task.CancelTask', 'ManagedObject.toJSON', 'MethodFault.toJSON'],
];
const INTERNAL = [
  'ServiceInstance.vms',
  ...['readRuntime', 'identify', 'isKnownAs', 'removeSnapshot', 'renameSnapshot', 'revertToSnapshot'].map(
    (name) => `VirtualMachine.${name}`,
  ),
  'VirtualMachineSnapshot.requireDiskOf',
];

const faultOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (given) => ({ given }),
    (thrown: unknown) => (thrown instanceof vim.MethodFault ? thrown._type : thrown),
  );
const isClass = (one: unknown): one is { name: string; prototype: object } =>
  typeof one === 'function' && /^class\b/.test(String(one));
const methodsOf = ({ name, prototype }: { name: string; prototype: object }): string[] =>
  Object.entries(Object.getOwnPropertyDescriptors(prototype)).flatMap(([method, { value }]) =>
    typeof value === 'function' && method !== 'constructor' ? [`${name}.${method}`] : [],
  );

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  const qmpSocket = join(folder.path, 'silent-qmp.sock');
  monitor = await listenSilently(qmpSocket);
  const stateFolder = join(folder.path, 'state');
  const file = join(folder.path, 'host.yaml');
  await writeFile(file, 'vms: []\n');
  hosted = await vim.connectHost({ file, stateFolder });
  const socket = join(folder.path, 'silent-libvirt.sock');
  libvirt = await listenSilently(socket);
  await writeFile(file, `libvirt: ['qemu:///system?socket=${socket}']\n`);
  service = vim.connect({ vms: [{ name: 'mute', qmpSocket }], stateFolder });
  index = service.content.searchIndex;
  [vm] = (await service.vms()) as [vim.VirtualMachine];
  await vm.identify();
  const instant = { epoch: UUID, sequence: 1, pit: UUID };
  await vm.context.records.update((record) => {
    record.snapshots.push({
      ...{ id: 1, name: 'one', description: '', createTime: new Date().toISOString() },
      ...{ quiesced: false, session: UUID, tracked: true },
      disks: [{ disk: 'd', key: 2000, fileName: 'd', parents: [], capacityInBytes: 65_536, instant }],
    });
  });
  snapshot = await vm.findSnapshot('snapshot-1');
  task = vm.CreateSnapshot_Task('two', '', false, false);
  await eventually(() => expect(monitor.clients.size).toBe(1));
});
afterAll(async () => {
  task?.CancelTask();
  await monitor?.[Symbol.asyncDispose]();
  await libvirt?.[Symbol.asyncDispose]();
  await folder?.remove();
});

test('the table has every function, and every method of the objects', () => {
  const all = Object.entries(vim).flatMap(([name, one]) => {
    if (isClass(one)) return methodsOf(one);
    return typeof one === 'function' ? [name] : [];
  });
  const known = [silent, local].flatMap((rows) => Object.keys(rows)).concat(AT_ONCE, INTERNAL);
  expect(all.sort()).toEqual(known.sort());
});

describe.each(Object.entries({ ...silent, ...local }))('%s', (_, call) => {
  test('begins nothing for a signal that fired, and refuses what is no signal and no time', async () => {
    const before = monitor.clients.size;
    expect(await faultOf(call({ signal: AbortSignal.abort() }))).toBe('RequestCanceled');
    const controller = new AbortController() as unknown as AbortSignal;
    for (const odd of [{ signal: controller }, { timeoutMs: 0 }, { timeoutMs: Number.NaN }, { timeout: 1 }])
      await expect(call(odd as CallOptions)).rejects.toMatchObject({
        _type: 'InvalidArgument',
        invalidProperty: Object.keys(odd)[0],
      });
    expect(monitor.clients.size).toBe(before);
  });
});

describe.each(Object.entries(silent))('%s, where nobody answers', (_, call) => {
  test('is late by its own time, and ends with its signal', async () => {
    const startedAt = performance.now();
    expect(await faultOf(call({ timeoutMs: 50 }))).toBe('Timedout');
    const stop = new AbortController();
    const called = faultOf(call({ signal: stop.signal, timeoutMs: 60_000 }));
    setTimeout(() => stop.abort(), 50);
    expect(await called).toBe('RequestCanceled');
    // Far less than any wait of the library's own.
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });
});

test('the waiting ended, the task goes on; who did not wait for his turn has changed nothing', async () => {
  expect(task.info).toMatchObject({ state: 'running', cancelled: false });
  const renaming = faultOf(snapshot.RenameSnapshot('another', undefined, { timeoutMs: 60_000 }));
  expect((await vm.findSnapshot('snapshot-1')).record.name).toBe('one');
  task.CancelTask();
  expect(await faultOf(task.wait({ timeoutMs: 60_000 }))).toBe('RequestCanceled');
  // His turn came, and the VM is read anew then.
  await eventually(async () => expect((await vm.findSnapshot('snapshot-1')).record.name).toBe('another'));
  await monitor[Symbol.asyncDispose]();
  expect(await renaming).toBe('InvalidState');
  await eventually(() => expect(monitor.clients.size).toBe(0));
});
