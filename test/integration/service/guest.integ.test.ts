/** What a guest says of itself over the wire: its name and addresses, whoever it is found by, and nothing where it says nothing. */
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { guestFactsOf } from '../../../lib/host/guestFacts.js';
import { startVm } from '../../conformance/vsphere/support.js';
import { FakeGuestAgent, SILENT } from '../../helpers/fakeGuestAgent.js';
import { serve } from '../../helpers/vim/service.js';
import { SoapClient } from '../../helpers/vim/soapClient.js';

const INTERFACES = [
  { name: 'lo', 'hardware-address': '00:00:00:00:00:00', 'ip-addresses': [{ 'ip-address': '127.0.0.1' }] },
  {
    name: 'eth0',
    'hardware-address': '52:54:00:AA:BB:CC',
    'ip-addresses': [
      { 'ip-address': 'fe80::1', 'ip-address-type': 'ipv6', prefix: 64 },
      { 'ip-address': '2001:db8::7', 'ip-address-type': 'ipv6', prefix: 64 },
      { 'ip-address': 'no address at all' },
      { 'ip-address': '192.0.2.7', 'ip-address-type': 'ipv4', prefix: 24 },
    ],
  },
];

async function start() {
  const agent = await FakeGuestAgent.start();
  onTestFinished(() => agent[Symbol.asyncDispose]());
  const { vm, folder } = await startVm({ sizeBytes: 8 << 20 });
  const vms = [{ ...vm.entry, agentSocket: agent.path }];
  const { service } = await serve(connect({ vms, stateFolder: `${folder}/state` }));
  const client = await SoapClient.login(service);
  const fetch = async (prop: string): Promise<string> =>
    (await client.ask('Fetch', 'VirtualMachine', 'vm-1', `<prop>${prop}</prop>`)).text;
  const find = async (method: string, inner: string): Promise<(string | undefined)[]> =>
    (await client.ask(method, 'SearchIndex', 'ha-searchindex', `${inner}<vmSearch>1</vmSearch>`)).values.map(
      ({ text }) => text,
    );
  return { agent, fetch, find };
}

test('name, addresses and cards are those that the agent tells, and the VM is found by them', async () => {
  const { agent, fetch, find } = await start();
  agent.commands.add('guest-get-host-name').add('guest-network-get-interfaces');
  agent.on('guest-get-host-name', () => ({ return: { 'host-name': 'web.example <1>' } }));
  agent.on('guest-network-get-interfaces', () => ({ return: INTERFACES }));
  const guest = await fetch('guest');
  expect(guest).toContain('<toolsRunningStatus>guestToolsRunning</toolsRunningStatus>');
  expect(guest).toContain('<hostName>web.example &lt;1&gt;</hostName><ipAddress>192.0.2.7</ipAddress>');
  expect(guest).toContain(
    '<ipAddress>fe80::1</ipAddress><ipAddress>2001:db8::7</ipAddress><ipAddress>192.0.2.7</ipAddress><macAddress>52:54:00:aa:bb:cc</macAddress>',
  );
  expect(await fetch('summary.guest.ipAddress')).toContain('>192.0.2.7<');
  expect(await find('FindByIp', '<ip>192.0.2.7</ip>')).toEqual(['vm-1']);
  expect(await find('FindByIp', '<ip>2001:DB8::7</ip>')).toEqual(['vm-1']);
  expect(await find('FindAllByIp', '<ip>127.0.0.1</ip>')).toEqual([]);
  expect(await find('FindByDnsName', '<dnsName>WEB.example &lt;1></dnsName>')).toEqual(['vm-1']);
  expect(await find('FindAllByDnsName', '<dnsName>other</dnsName>')).toEqual([]);
  // One client at a time is served by an agent: each question ends its connection.
  expect(agent.connections).toBeGreaterThan(1);
}, 60_000);

test('what two guests claim finds neither, and both where all are wanted', async () => {
  const vms = [];
  for (const name of ['web', 'other']) {
    const agent = await FakeGuestAgent.start();
    onTestFinished(() => agent[Symbol.asyncDispose]());
    agent.commands.add('guest-get-host-name').add('guest-network-get-interfaces');
    agent.on('guest-get-host-name', () => ({ return: { 'host-name': 'web.example' } }));
    agent.on('guest-network-get-interfaces', () => ({ return: INTERFACES }));
    const { vm, folder } = await startVm({ sizeBytes: 8 << 20 });
    vms.push({ entry: { ...vm.entry, name, agentSocket: agent.path }, folder });
  }
  const entries = vms.map(({ entry }) => entry);
  const { service } = await serve(connect({ vms: entries, stateFolder: `${vms[0]!.folder}/state` }));
  const client = await SoapClient.login(service);
  const find = (method: string, inner: string) =>
    client.ask(method, 'SearchIndex', 'ha-searchindex', `${inner}<vmSearch>1</vmSearch>`);
  const byName = await find('FindByDnsName', '<dnsName>web.example</dnsName>');
  expect([byName.fault, byName.detail['invalidProperty']]).toEqual(['InvalidArgument', 'dnsName']);
  expect(byName.text).toContain('it is the name of 2 VMs: web, other');
  const byAddress = await find('FindByIp', '<ip>192.0.2.7</ip>');
  expect([byAddress.fault, byAddress.detail['invalidProperty']]).toEqual(['InvalidArgument', 'ip']);
  const all = await find('FindAllByDnsName', '<dnsName>web.example</dnsName>');
  expect(all.values.map(({ text }) => text)).toEqual(['vm-1', 'vm-2']);
}, 60_000);

test("an agent that answers each command slowly is let go when its time is over, not when each command's is", async () => {
  const { agent } = await start();
  agent.commands.add('guest-get-host-name').add('guest-network-get-interfaces');
  for (const command of ['guest-sync-delimited', 'guest-info', 'guest-get-host-name'])
    agent.on(command, async (asked) => {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return agent.answer(asked);
    });
  const began = performance.now();
  expect(await guestFactsOf({ name: 'web', agentSocket: agent.path })).toBeNull();
  expect(performance.now() - began).toBeGreaterThanOrEqual(1490);
  expect(agent.log).toEqual(['guest-info']);
}, 60_000);

test('an agent that says nonsense, has not the commands, or is silent makes nothing up and holds nothing up', async () => {
  const { agent, fetch, find } = await start();
  expect(await fetch('guest')).toContain('<toolsStatus>toolsOk</toolsStatus>');
  expect(await fetch('guest')).not.toContain('<hostName>');
  agent.commands.add('guest-get-host-name').add('guest-network-get-interfaces');
  agent.on('guest-get-host-name', () => ({ return: { 'host-name': 7 } }));
  agent.on('guest-network-get-interfaces', () => ({ return: [{ name: 1 }] }));
  expect(await fetch('guest')).not.toMatch(/<hostName>|<net>/);
  agent.on('guest-sync-delimited', () => SILENT);
  expect(await fetch('guest')).toContain('<toolsRunningStatus>guestToolsNotRunning</toolsRunningStatus>');
  expect(await find('FindByIp', '<ip>192.0.2.7</ip>')).toEqual([]);
  expect(await fetch('runtime.powerState')).toContain('poweredOn');
}, 60_000);
