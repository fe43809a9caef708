/** `qemu-cbt serve` as an operator runs it: users, start, the second one, reload, figures, end. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FakeLibvirt } from '../../helpers/fakeLibvirt.js';
import { login, makeHost, post, runCommand, startServing } from '../../helpers/vim/servedCommand.js';
import { PASSWORD } from '../../helpers/vim/service.js';
import { call, filterSpec } from '../../helpers/vim/soapClient.js';

/** The VMs that a session sees: their references by their names. */
async function listed(url: string, cookie: string): Promise<Map<string, string>> {
  const down =
    '<selectSet xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="TraversalSpec"><type>Folder</type><path>childEntity</path></selectSet>';
  const spec = filterSpec('specSet', 'Folder', 'ha-folder-vm', [], down).replace(
    '<type>Folder</type>',
    '<type>VirtualMachine</type><pathSet>name</pathSet>',
  );
  const { text } = await post(
    url,
    call('RetrieveProperties', 'PropertyCollector', 'ha-property-collector', spec),
    cookie,
  );
  const found = text.matchAll(
    /<obj type="VirtualMachine">([^<]*)<\/obj>.*?<val xsi:type="xsd:string">([^<]*)<\/val>/g,
  );
  return new Map([...found].map(([, value, name]) => [name!, value!]));
}

test('it starts, refuses a second, reads the host file again, tells figures, and ends in order', async () => {
  const { folder, host, env, write } = await makeHost();
  const without = await runCommand(env, ['serve']);
  expect([without.code, without.stderr]).toEqual([
    2,
    expect.stringContaining(`${folder}/users.json is not there`),
  ]);
  expect((await runCommand(env, ['user', 'add', 'ops', '--role', 'admin'], 'short\n')).code).toBe(2);
  expect((await runCommand(env, ['user', 'add', 'ops', '--role', 'admin'], `${PASSWORD}\n`)).code).toBe(0);
  expect((await runCommand(env, ['user', 'list'])).stdout).toBe('ops   admin   all VMs\n');
  expect(await readFile(join(folder, 'users.json'), 'utf8')).not.toContain(PASSWORD);

  // What is of the demo is of nothing else, and has to be what it is.
  expect((await runCommand(env, ['serve', '--listen', '127.0.0.1:0'])).stderr).toContain(
    'there is no --demo',
  );
  for (const listen of ['127.0.0.1', ':1', '127.0.0.1:70000']) {
    const { code, stderr } = await runCommand(env, ['serve', '--demo', '--listen', listen]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`--listen is ${JSON.stringify(listen)}`)]);
  }

  const { child, ready, logged, ended } = await startServing(env);
  expect(ready).toMatchObject({
    vms: 1,
    thumbprint: expect.stringMatching(/^([0-9A-F]{2}:){19}[0-9A-F]{2}$/),
  });
  const second = await runCommand(env, ['serve']);
  expect([second.code, second.stderr]).toEqual([
    5,
    expect.stringContaining(`${host} is served already, by process ${child.pid}`),
  ]);

  const { cookie, status } = await login(ready.url);
  expect([status, cookie]).toEqual([
    200,
    expect.stringMatching(/^vmware_soap_session="[0-9a-f]{64}"; Path=\/; HttpOnly; Secure$/),
  ]);
  const names = async (): Promise<string[]> => [...(await listed(ready.url, cookie)).keys()];
  expect(await names()).toEqual(['web']);
  await write(['web', 'db']);
  child.kill('SIGHUP');
  expect(await logged('reloaded')).toContain('vms=2');
  // The same session goes on, and a file with an error changes nothing.
  expect(await names()).toEqual(['web', 'db']);
  await writeFile(host, 'vms: 1\n');
  child.kill('SIGHUP');
  expect(await logged('reload ')).toContain('level=error');
  expect(await names()).toEqual(['web', 'db']);

  const figures = await (await fetch(ready.metrics)).text();
  expect(figures).toMatch(/^qemu_cbt_calls_total\{method="Login",fault=""\} 1$/m);
  expect(figures).toMatch(/^qemu_cbt_sessions 1$/m);
  expect(await (await fetch(ready.metrics.replace('metrics', 'healthz'))).text()).toBe('ok\n');

  // A user who was removed goes, whatever is wrong with the host file.
  await write(['web', 'db']);
  expect((await runCommand(env, ['user', 'remove', 'ops'])).code).toBe(0);
  await writeFile(host, 'vms: 1\n');
  child.kill('SIGHUP');
  await logged('reload ');
  await expect(
    post(ready.url, call('CurrentTime', 'ServiceInstance', 'ServiceInstance'), cookie),
  ).resolves.toMatchObject({ status: 500, text: expect.stringContaining('NotAuthenticated') });
  await write(['web', 'db']);
  expect((await runCommand(env, ['user', 'add', 'ops', '--role', 'admin'], `${PASSWORD}\n`)).code).toBe(0);
  const { cookie: next } = await login(ready.url);

  // Somebody waits for changes: he is told that it ends, and holds nothing up.
  const wait = post(
    ready.url,
    call('WaitForUpdatesEx', 'PropertyCollector', 'ha-property-collector'),
    next,
  ).catch((error: Error) => error);
  child.kill('SIGTERM');
  expect(await logged('stopped')).toContain('level=info');
  expect(await ended).toEqual([0, null]);
  await wait;

  await write(['web']);
  const again = await startServing(env);
  expect(again.ready.thumbprint).toBe(ready.thumbprint);
  await expect(
    post(again.ready.url, call('CurrentTime', 'ServiceInstance', 'ServiceInstance'), next),
  ).resolves.toMatchObject({ status: 500 });
}, 90_000);

test('domains of a libvirt have the numbers that the command tells, come by themselves, and stay what they are at a reload', async () => {
  const { env, write } = await makeHost();
  const xml = '<domain><name>shop</name><devices/></domain>';
  const domain = (name: string, first: string) => ({
    name,
    uuid: `${first}1111-1111-4222-8333-444444444444`,
    xml,
    qmp: null,
  });
  await using libvirt = await FakeLibvirt.start([domain('shop', 'aaaa')]);
  const uris = `libvirt: ["${libvirt.uri}"]\n`;
  await write(['web'], uris);
  await runCommand(env, ['user', 'add', 'ops', '--role', 'admin'], `${PASSWORD}\n`);
  const { child, ready, logged } = await startServing(env);
  const { cookie } = await login(ready.url);
  const told = async (): Promise<Map<string, string>> => {
    const { stdout } = await runCommand(env, ['vms', '--json']);
    const { vms } = JSON.parse(stdout) as { vms: { name: string; id: string }[] };
    return new Map(vms.map(({ name, id }) => [name, id]));
  };
  const before = await listed(ready.url, cookie);
  expect([...before.keys()]).toEqual(['web', 'shop']);
  expect(await told()).toEqual(before);
  await libvirt.add(domain('blog', 'bbbb'));
  const grown = await listed(ready.url, cookie);
  expect([...grown.keys()]).toEqual(['web', 'blog', 'shop']);
  expect(await told()).toEqual(grown);

  const nameOf = (moref: string) =>
    post(ready.url, call('Fetch', 'VirtualMachine', moref, '<prop>name</prop>'), cookie);
  await write(['db'], uris);
  child.kill('SIGHUP');
  expect(await logged('reloaded')).toContain('vms=3');
  const after = await listed(ready.url, cookie);
  expect([...after.keys()]).toEqual(['db', 'blog', 'shop']);
  for (const name of ['blog', 'shop']) expect(after.get(name)).toBe(grown.get(name));
  expect((await nameOf(grown.get('web')!)).text).toContain('ManagedObjectNotFound');
  expect((await nameOf(grown.get('shop')!)).text).toContain('>shop<');
}, 90_000);

test('whoever says nothing, too much or nonsense costs nobody else the service', async () => {
  const { env } = await makeHost();
  await runCommand(env, ['user', 'add', 'ops', '--role', 'admin'], `${PASSWORD}\n`);
  const { ready } = await startServing(env);
  const { hostname, port } = new URL(ready.url);
  // Far more silent connections than there may be of an address: the oldest of them go.
  const silent = Array.from({ length: 600 }, () =>
    connectTcp(Number(port), hostname).on('error', () => undefined),
  );
  onTestFinished(() => {
    for (const socket of silent) socket.destroy();
  });
  await Promise.all(silent.map((socket) => once(socket, 'connect').catch(() => undefined)));
  const { cookie } = await login(ready.url);
  expect(cookie).not.toBe('');
  const figures = await (await fetch(ready.metrics)).text();
  expect(Number(/^qemu_cbt_connections (\d+)$/m.exec(figures)?.[1])).toBeLessThanOrEqual(65);

  const content = call('RetrieveServiceContent', 'ServiceInstance', 'ServiceInstance');
  expect((await post(ready.url, ' '.repeat((1 << 20) + 1))).status).toBe(413);
  expect((await post(ready.url, `<!DOCTYPE a>${content.slice(38)}`)).text).toContain('InvalidRequestFault');
  expect((await post(ready.url.replace('/sdk', '/other'), content)).status).toBe(404);
  expect(await fetchStatus(ready.url, { method: 'GET' })).toBe(405);
  expect(await fetchStatus(ready.url, { method: 'POST', headers: { 'Content-Type': 'text/plain' } })).toBe(
    415,
  );
  expect((await post(ready.url, content)).status).toBe(200);
}, 60_000);

function fetchStatus(
  url: string,
  options: { method: string; headers?: Record<string, string> },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ...options, rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    asked.on('error', reject);
    asked.end();
  });
}
