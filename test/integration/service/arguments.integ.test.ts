/**
 * Every method of the wire, called with each of its arguments missing, there twice, of another type, and huge: a host's fault for what it
 * cannot read, and for what it can an answer or a fault of the API; never a failure of the service, and never a word of its insides.
 */
import { expect, test } from 'vitest';
import { METHODS, type Method, TYPES } from '../../../lib/facade/vsphere/schema/schema.js';
import { snapshot, startVm } from '../../conformance/vsphere/support.js';
import { type Hostile, hostileArguments, readableArguments } from '../../helpers/vim/hostileArguments.js';
import { serve } from '../../helpers/vim/service.js';
import { filterSpec, SoapClient, type Told } from '../../helpers/vim/soapClient.js';

/** References of objects that are always there, by their types. */
const PLACES: Readonly<Record<string, string>> = {
  ServiceInstance: 'ServiceInstance',
  SearchIndex: 'ha-searchindex',
  SessionManager: 'ha-sessionmgr',
  ViewManager: 'ViewManager',
  PropertyCollector: 'ha-property-collector',
  TaskManager: 'ha-taskmgr',
  EventManager: 'ha-eventmgr',
  AuthorizationManager: 'ha-authmgr',
  OptionManager: 'HostAgentSettings',
  PerformanceManager: 'ha-perfmgr',
  VirtualMachine: 'vm-1',
};

/** How objects of a session come to be: the type, where the method is of one that others inherit from, and the call that makes one. */
const MADE: Readonly<Record<string, [type: string, manager: string, method: string, inner: string]>> = {
  View: ['ListView', 'ViewManager', 'CreateListView', ''],
  ListView: ['ListView', 'ViewManager', 'CreateListView', ''],
  PropertyFilter: [
    'PropertyFilter',
    'PropertyCollector',
    'CreateFilter',
    `${filterSpec('spec', 'Folder', 'ha-folder-root', ['name'])}<partialUpdates>0</partialUpdates>`,
  ],
  HistoryCollector: ['TaskHistoryCollector', 'TaskManager', 'CreateCollectorForTasks', '<filter/>'],
  TaskHistoryCollector: ['TaskHistoryCollector', 'TaskManager', 'CreateCollectorForTasks', '<filter/>'],
  EventHistoryCollector: ['EventHistoryCollector', 'EventManager', 'CreateCollectorForEvents', '<filter/>'],
  Task: ['Task', 'VirtualMachine', 'ConsolidateVMDisks_Task', ''],
};

function sound({ status, fault, text }: Told): boolean {
  const isFault = status === 500 && fault !== null && TYPES.get(fault)?.kind === 'fault';
  const isOurs = fault === 'RuntimeFault' || /TypeError|node:|\.[jt]s:\d|undefined/.test(text);
  return (status === 200 || isFault) && !isOurs;
}

test('no argument of any method makes the service fail', async () => {
  const { service: facade, vm } = await startVm();
  const { reference } = await snapshot(vm);
  const { service } = await serve(facade);
  let client = await SoapClient.login(service);
  /** Nobody waits for what changes: who would is gone when he asks. */
  const by = ({ name }: Method): SoapClient => {
    const one = new SoapClient(service, name.startsWith('WaitFor') ? AbortSignal.abort() : undefined);
    one.cookie = client.cookie;
    return one;
  };
  const target = async (owner: string): Promise<[type: string, value: string]> => {
    if (owner === 'VirtualMachineSnapshot') return [owner, reference.value];
    const made = MADE[owner];
    if (made === undefined) return [owner, PLACES[owner] ?? ''];
    const [type, manager, method, inner] = made;
    const { values, text } = await client.ask(method, manager, PLACES[manager]!, inner);
    expect([owner, values.length, text]).toEqual([owner, 1, text]);
    return [type, values[0]!.text];
  };
  const wrong: unknown[] = [];
  let tried = 0;
  const calls: [Method, string, string][] = [];
  for (const method of METHODS.values()) calls.push([method, ...(await target(method.owner))]);
  const tryAll = async (isMeant: (one: Hostile) => boolean): Promise<void> => {
    for (const [method, type, value] of calls) {
      for (const { what, refused, inner } of hostileArguments(method).filter(isMeant)) {
        const told = await by(method).ask(method.name, type, value, inner);
        tried += 1;
        // A method that is not served says so before it reads anything.
        const isServed = told.fault !== 'NotSupported';
        const isRefused = told.fault === 'InvalidRequest' && told.text.includes(refused ?? '');
        if (!sound(told) || (refused !== null && isServed && !isRefused))
          wrong.push([method.owner, method.name, what, told.status, told.fault, told.text.slice(-600)]);
      }
    }
  };
  await tryAll(({ refused }) => refused !== null);
  // Of these some are carried out: a snapshot that is removed by one is there for no other.
  await tryAll(({ refused }) => refused === null);
  expect(wrong).toEqual([]);
  expect(tried).toBeGreaterThan(1000);
  for (const [method, type, value] of calls) {
    const told = await by(method).ask(method.name, type, value, readableArguments(method));
    // Some end the session.
    if (service.sessions.find(client.cookie) === null) client = await SoapClient.login(service);
    if (!sound(told)) wrong.push([method.owner, method.name, told.status, told.fault, told.text.slice(-600)]);
  }
  expect(wrong).toEqual([]);
}, 300_000);
