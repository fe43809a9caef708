/** Who may call what, by which session, and what is answered to whoever may not, or asks for what is not there. */
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../../../lib/facade/vsphere/index.js';
import { METHODS } from '../../../../lib/facade/vsphere/schema/schema.js';
import { HANDLERS } from '../../../../lib/service/vim/handlers.js';
import { surface } from '../../../../lib/service/vim/surface.js';
import { VimService } from '../../../../lib/service/vim/vimService.js';
import { makeTemporaryFolder } from '../../../helpers/temporaryFolder.js';
import { user } from '../../../helpers/vim/service.js';
import { filterSpec, SoapClient } from '../../../helpers/vim/soapClient.js';

/** VMs that nobody can ask: they are known by their names alone. */
async function make(now = () => 0): Promise<VimService> {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const vms = ['web', 'a/b%'].map((name, at) => ({ name, qmpSocket: join(folder.path, `${at}.qmp`) }));
  const facade = connect({ vms, stateFolder: join(folder.path, 'state') });
  const users = [
    await user('root', 'admin'),
    await user('reader', 'read'),
    await user('one', 'backup', ['web']),
  ];
  return new VimService(facade, { users: () => Promise.resolve(users), idleMs: 1000, now });
}

const collector = ['PropertyCollector', 'ha-property-collector'] as const;

describe('without a session', () => {
  test('the content is told, and that nobody is logged in; anything else is NotAuthenticated', async () => {
    const client = new SoapClient(await make());
    const content = await client.ask('RetrieveServiceContent', 'ServiceInstance', 'ServiceInstance');
    expect(content.values[0]?.children.map(({ name }) => name)).toEqual([
      'rootFolder',
      'propertyCollector',
      'viewManager',
      'about',
      'setting',
      'sessionManager',
      'authorizationManager',
      'perfManager',
      'eventManager',
      'taskManager',
      'licenseManager',
      'searchIndex',
      'fileManager',
    ]);
    const own = filterSpec('specSet', 'SessionManager', 'ha-sessionmgr', ['currentSession']);
    const nobody = await client.ask('RetrieveProperties', ...collector, own);
    expect([nobody.status, nobody.values[0]?.children.map(({ name }) => name)]).toEqual([200, ['obj']]);
    expect(
      (await client.ask('Fetch', 'SessionManager', 'ha-sessionmgr', '<prop>currentSession</prop>')).values,
    ).toEqual([]);
    for (const [method, type, value, inner] of [
      ['CurrentTime', 'ServiceInstance', 'ServiceInstance', ''],
      ['Fetch', 'SessionManager', 'ha-sessionmgr', '<prop>sessionList</prop>'],
      ['RetrieveProperties', ...collector, filterSpec('specSet', 'Folder', 'ha-folder-root', ['name'])],
      ['Nonsense', 'VirtualMachine', 'vm-1', ''],
    ] as const)
      expect([method, (await client.ask(method, type, value, inner)).fault]).toEqual([
        method,
        'NotAuthenticated',
      ]);
  });

  test('a wrong name is refused in the words of a wrong password', async () => {
    const client = new SoapClient(await make());
    const login = (name: string, password: string) =>
      client.ask(
        'Login',
        'SessionManager',
        'ha-sessionmgr',
        `<userName>${name}</userName><password>${password}</password>`,
      );
    const [name, password] = [await login('nobody', 'x'), await login('root', 'x')];
    expect([name.status, name.fault, name.cookie]).toEqual([500, 'InvalidLogin', null]);
    expect(name.text).toBe(password.text);
  });

  test('nobody is read at length', async () => {
    const client = new SoapClient(await make());
    const told = await client.ask(
      'Login',
      'SessionManager',
      'ha-sessionmgr',
      '<userName>a</userName>'.repeat(300),
    );
    expect([told.fault, told.text.includes('more than 200 elements')]).toEqual(['InvalidRequest', true]);
  });
});

describe('a session', () => {
  test('ends by Logout, by an administrator, and by itself', async () => {
    let now = 0;
    const service = await make(() => now);
    const [root, reader] = [await SoapClient.login(service), await SoapClient.login(service, 'reader')];
    const key = service.sessions.all.find((one) => one.user.name === 'reader')?.key;
    const terminate = `<sessionId>${key}</sessionId>`;
    expect((await reader.ask('TerminateSession', 'SessionManager', 'ha-sessionmgr', terminate)).fault).toBe(
      'NoPermission',
    );
    expect((await root.ask('TerminateSession', 'SessionManager', 'ha-sessionmgr', terminate)).status).toBe(
      200,
    );
    expect((await root.ask('TerminateSession', 'SessionManager', 'ha-sessionmgr', terminate)).fault).toBe(
      'NotFound',
    );
    const time = (client: SoapClient) => client.ask('CurrentTime', 'ServiceInstance', 'ServiceInstance');
    expect((await time(reader)).fault).toBe('NotAuthenticated');
    expect((await root.ask('Logout', 'SessionManager', 'ha-sessionmgr')).values).toEqual([]);
    expect((await time(root)).fault).toBe('NotAuthenticated');
    const idle = await SoapClient.login(service);
    expect((await time(idle)).fault).toBeNull();
    now += 1000;
    expect((await time(idle)).fault).toBeNull();
    now += 1001;
    expect((await time(idle)).fault).toBe('NotAuthenticated');
  });

  test('has its own views and filters, which nobody else sees and which end with it', async () => {
    const service = await make();
    const [one, other] = [await SoapClient.login(service), await SoapClient.login(service)];
    const view = await one.ask(
      'CreateContainerView',
      'ViewManager',
      'ViewManager',
      '<container type="Folder">ha-folder-root</container><type>VirtualMachine</type><recursive>true</recursive>',
    );
    const value = view.values[0]!.text;
    const read = (client: SoapClient) => client.ask('Fetch', 'ContainerView', value, '<prop>view</prop>');
    expect((await read(one)).values[0]?.children.map(({ text }) => text)).toEqual(['vm-1', 'vm-2']);
    expect((await read(other)).fault).toBe('ManagedObjectNotFound');
    await one.ask('DestroyView', 'ContainerView', value);
    expect((await read(one)).detail['obj']).toBe(value);
  });

  test('sees the VMs that its user may see, and no others, by whatever way', async () => {
    const client = await SoapClient.login(await make(), 'one');
    const names = await client.ask('Fetch', 'Folder', 'ha-folder-vm', '<prop>childEntity</prop>');
    expect(names.values[0]?.children.map(({ text }) => text)).toEqual(['vm-1']);
    expect((await client.ask('Fetch', 'VirtualMachine', 'vm-2', '<prop>name</prop>')).fault).toBe(
      'ManagedObjectNotFound',
    );
    const path = '<inventoryPath>ha-datacenter/vm/a%2fb%25</inventoryPath>';
    expect((await client.ask('FindByInventoryPath', 'SearchIndex', 'ha-searchindex', path)).values).toEqual(
      [],
    );
    const all = await SoapClient.login(client.service);
    expect(
      (await all.ask('FindByInventoryPath', 'SearchIndex', 'ha-searchindex', path)).values[0]?.text,
    ).toBe('vm-2');
    expect((await all.ask('Fetch', 'VirtualMachine', 'vm-2', '<prop>name</prop>')).values[0]?.text).toBe(
      'a%2fb%25',
    );
  });

  test('of a reader changes nothing', async () => {
    const client = await SoapClient.login(await make(), 'reader');
    for (const [key, { needs }] of Object.entries(HANDLERS)) {
      const [type = '', method = ''] = key.split('.');
      if (needs === undefined || type === 'SessionManager' || type !== 'VirtualMachine') continue;
      const parts = METHODS.get(key)!.parameters.map(
        ({ name, type: of }) =>
          `<${name}>${of === 'boolean' ? 'false' : of === 'string' ? 'x' : '1'}</${name}>`,
      );
      const told = await client.ask(
        method,
        type,
        'vm-1',
        parts.filter((part) => !/spec|host|snapshot|quiesceSpec/i.test(part.slice(0, 12))).join(''),
      );
      expect([key, told.fault === 'NoPermission' || told.fault === 'InvalidRequest']).toEqual([key, true]);
    }
    const told = await client.ask('RemoveAllSnapshots_Task', 'VirtualMachine', 'vm-1');
    expect([told.fault, told.detail['privilegeId']]).toEqual([
      'NoPermission',
      'VirtualMachine.State.RemoveSnapshot',
    ]);
  });
});

test('what is not there is told by its fault', async () => {
  const client = await SoapClient.login(await make());
  const faults = async (method: string, type: string, value: string, inner = '') =>
    (await client.ask(method, type, value, inner)).fault;
  expect(await faults('PowerOnVM_Task', 'VirtualMachine', 'vm-1')).toBe('NotSupported');
  expect(await faults('Nonsense', 'VirtualMachine', 'vm-1')).toBe('MethodNotFound');
  expect(await faults('PowerOnVM_Task', 'VirtualMachine', 'vm-9')).toBe('ManagedObjectNotFound');
  expect(await faults('Fetch', 'VirtualMachine', 'vm-1', '<prop>nonsense</prop>')).toBe('InvalidProperty');
  expect(await faults('Fetch', 'VirtualMachine', 'vm-1', '<prop>config</prop>')).toBe('InvalidState');
  expect((await client.ask('Fetch', 'VirtualMachine', 'vm-1', '<prop>parentVApp</prop>')).values).toEqual([]);
  const runtime = await client.ask('Fetch', 'VirtualMachine', 'vm-1', '<prop>runtime.connectionState</prop>');
  expect(runtime.values[0]?.text).toBe('disconnected');
  for (const text of [
    '',
    '<a/>',
    '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body/></Envelope>',
  ])
    expect(['InvalidRequest', (await client.send(text)).fault]).toEqual(['InvalidRequest', 'InvalidRequest']);
});

test('every method that is offered is one of the API, and every one of the table has its row', () => {
  const unknown = Object.keys(HANDLERS).filter((key) => !METHODS.has(key));
  expect(unknown).toEqual([]);
  expect(surface.map(({ name }) => name)).toEqual([...METHODS.keys()].sort());
  for (const { name, status, reason } of surface)
    expect([name, status === 'full' || (reason ?? '').length > 5]).toEqual([name, true]);
});
