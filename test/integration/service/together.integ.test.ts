/** Several clients at once, on one VM and on several; and clients that are gone in the middle, which leave nothing of theirs behind. */
import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { VimService } from '../../../lib/service/vim/vimService.js';
import { enable, KIB64, MIB, snapshot, startVm, type TestVm } from '../../conformance/vsphere/support.js';
import { eventually } from '../../helpers/eventually.js';
import { user } from '../../helpers/vim/service.js';
import { filterSpec, SoapClient } from '../../helpers/vim/soapClient.js';

const COLLECTOR = ['PropertyCollector', 'ha-property-collector'] as const;
const SNAPSHOT = '<name>backup</name><description></description><memory>0</memory><quiesce>0</quiesce>';

/** The service over VMs, by a clock that the test moves. */
async function makeService(vms: readonly TestVm[]): Promise<{ service: VimService; clock: { now: number } }> {
  const entries = vms.map(({ vm }, at) => ({ ...vm.entry, name: `web${at}` }));
  const clock = { now: 0 };
  const users = [await user('root', 'admin')];
  const service = new VimService(connect({ vms: entries, stateFolder: `${vms[0]!.folder}/service` }), {
    users: () => Promise.resolve(users),
    idleMs: 1000,
    now: () => clock.now,
  });
  return { service, clock };
}

/** Begins a task, waits for its end, and gives the reference that is its result, or the name of its fault. */
async function runTask(
  client: SoapClient,
  method: string,
  type: string,
  value: string,
  inner: string,
): Promise<{ result: string; fault: string }> {
  const task = (await client.ask(method, type, value, inner)).values[0]?.text ?? '';
  return eventually(async () => {
    const { text } = await client.ask('Fetch', 'Task', task, '<prop>info</prop>');
    expect(text).toMatch(/<state>(success|error)<\/state>/);
    return {
      result: /<result[^>]*>([^<]*)</.exec(text)?.[1] ?? '',
      fault: /<fault xsi:type="(\w+)"/.exec(text)?.[1] ?? '',
    };
  });
}

/** One run as a backup program makes it: where another is at work it tries again, as such programs do. */
async function backUp(client: SoapClient, vm: string, key: number): Promise<[number, number][]> {
  const taken = await eventually(async () => {
    const told = await runTask(client, 'CreateSnapshot_Task', 'VirtualMachine', vm, SNAPSHOT);
    expect(['', 'TaskInProgress']).toContain(told.fault);
    if (told.fault !== '') throw new Error(told.fault);
    return told.result;
  });
  const asked = `<snapshot type="VirtualMachineSnapshot">${taken}</snapshot><deviceKey>${key}</deviceKey><startOffset>0</startOffset><changeId>*</changeId>`;
  const { text, status } = await client.ask('QueryChangedDiskAreas', 'VirtualMachine', vm, asked);
  expect([status, text]).toEqual([200, text]);
  const found = [...text.matchAll(/<start>(\d+)<\/start><length>(\d+)<\/length>/g)];
  const removed = await runTask(
    client,
    'RemoveSnapshot_Task',
    'VirtualMachineSnapshot',
    taken,
    '<removeChildren>0</removeChildren>',
  );
  expect(removed.fault).toBe('');
  return found.map(([, start, length]) => [Number(start), Number(length)]);
}

/** Nothing of ours is in QEMU, in its folder, or in what is remembered. */
async function expectNothingLeft({ daemon, folder }: TestVm): Promise<void> {
  const nodes = (await daemon.process.control.execute('query-named-block-nodes')) as {
    'node-name': string;
  }[];
  expect(nodes.map((node) => node['node-name']).filter((name) => name.startsWith('cbt'))).toEqual([]);
  expect((await readdir(folder)).filter((name) => name.startsWith('cbt-'))).toEqual([]);
}

test('three clients at once on one VM and on three are each told exactly what their guest wrote', async () => {
  const vms: TestVm[] = [];
  for (let at = 0; at < 3; at += 1) vms.push(await startVm({ sizeBytes: 16 * MIB }));
  const { service } = await makeService(vms);
  const clients: SoapClient[] = [];
  for (let at = 0; at < 3; at += 1) clients.push(await SoapClient.login(service));
  const written = (at: number): [number, number][] => [[(at + 1) * MIB, KIB64]];
  for (const [at, { daemon }] of vms.entries()) await daemon.guestIo('d', `write ${(at + 1) * MIB} 64k`);
  // Each VM is first looked at by somebody: from then on it has a number.
  const path = (at: number): string => `<inventoryPath>ha-datacenter/vm/web${at}</inventoryPath>`;
  const references: string[] = [];
  for (let at = 0; at < 3; at += 1) {
    const found = await clients[0]!.ask('FindByInventoryPath', 'SearchIndex', 'ha-searchindex', path(at));
    references.push(found.values[0]!.text);
  }
  const { key } = vms[0]!;
  const onOne = await Promise.all(clients.map((client) => backUp(client, references[0]!, key)));
  expect(onOne).toEqual([written(0), written(0), written(0)]);
  const onThree = await Promise.all(clients.map((client, at) => backUp(client, references[at]!, key)));
  expect(onThree).toEqual([written(0), written(1), written(2)]);
  for (const vm of vms) await expectNothingLeft(vm);
  await service.stop();
}, 240_000);

/** What a client has done when it is gone, one step more each time. */
const STEPS: [string, (client: SoapClient, vm: string) => Promise<unknown>][] = [
  ['it has logged in', () => Promise.resolve()],
  [
    'it has a view',
    (client) =>
      client.ask(
        'CreateContainerView',
        'ViewManager',
        'ViewManager',
        '<container type="Folder">ha-folder-root</container><recursive>1</recursive>',
      ),
  ],
  [
    'it watches the VM',
    (client, vm) =>
      client.ask(
        'CreateFilter',
        ...COLLECTOR,
        `${filterSpec('spec', 'VirtualMachine', vm, ['name', 'runtime.powerState'])}<partialUpdates>0</partialUpdates>`,
      ),
  ],
  [
    'it has begun a snapshot',
    (client, vm) => client.ask('CreateSnapshot_Task', 'VirtualMachine', vm, SNAPSHOT),
  ],
  [
    'it has a snapshot',
    (client, vm) =>
      runTask(client, 'RemoveAllSnapshots_Task', 'VirtualMachine', vm, '').then(() =>
        runTask(client, 'CreateSnapshot_Task', 'VirtualMachine', vm, SNAPSHOT),
      ),
  ],
  ['it has begun to remove it', (client, vm) => client.ask('RemoveAllSnapshots_Task', 'VirtualMachine', vm)],
];

test('a client that is gone at any step leaves no session, no object and no wait, and the next one does its work', async () => {
  const vm = await startVm({ sizeBytes: 16 * MIB });
  await enable(vm.vm);
  const { taken } = await snapshot(vm.vm);
  await taken.RemoveSnapshot_Task(false).wait();
  await vm.daemon.guestIo('d', `write ${MIB} 64k`);
  const { service, clock } = await makeService([vm]);
  const reference = 'vm-1';
  for (let count = 1; count <= STEPS.length; count += 1) {
    const steps = STEPS.slice(0, count);
    const what = steps.at(-1)![0];
    const gone = new AbortController();
    const { cookie } = await SoapClient.login(service);
    const client = new SoapClient(service, gone.signal);
    client.cookie = cookie;
    for (const [, step] of steps) await step(client, reference);
    const [session] = service.sessions.all;
    // Its connection breaks in the middle of a wait: the wait ends at once, and the session when its time is over.
    const wait = client.ask('WaitForUpdatesEx', ...COLLECTOR, '<version>1000000</version>');
    const waits = client.ask('WaitForUpdatesEx', ...COLLECTOR);
    gone.abort();
    await Promise.all([wait, waits]);
    expect([what, session!.pending, service.sessions.all.length]).toEqual([what, 0, 1]);
    clock.now += 2000;
    expect([what, service.sessions.all, session!.objects.size, session!.ended.aborted]).toEqual([
      what,
      [],
      0,
      true,
    ]);
    // A task that it began goes on, as on a host; then the VM is whoever's comes next.
    await eventually(() => expect(service.tasks.running).toBe(0));
    const next = await SoapClient.login(service);
    const cleared = await runTask(next, 'RemoveAllSnapshots_Task', 'VirtualMachine', reference, '');
    expect([what, cleared.fault]).toEqual([what, '']);
    expect([what, await backUp(next, reference, vm.key)]).toEqual([what, [[MIB, KIB64]]]);
    await expectNothingLeft(vm);
    await next.ask('Logout', 'SessionManager', 'ha-sessionmgr');
  }
  await service.stop();
}, 240_000);
