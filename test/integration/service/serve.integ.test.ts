/** `qemu-cbt serve` as an operator runs it: users, start, the second one, reload, figures, end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { qemuImg } from '../../helpers/qemuTools.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';
import { PASSWORD } from '../../helpers/vim/service.js';
import { call, filterSpec } from '../../helpers/vim/soapClient.js';

const COMMAND = fileURLToPath(new URL('../../../bin/qemu-cbt.js', import.meta.url));

interface Ready {
  url: string;
  thumbprint: string;
  vms: number;
  metrics: string;
}

async function set(): Promise<{
  folder: string;
  host: string;
  env: NodeJS.ProcessEnv;
  write(vms: string[]): Promise<void>;
}> {
  const temporary = await makeTemporaryFolder();
  onTestFinished(() => temporary.remove());
  const folder = temporary.path;
  const host = join(folder, 'host.yaml');
  const write = async (vms: string[]): Promise<void> => {
    const entries = vms.map(
      (name) =>
        `  - name: ${name}\n    qmp: ${folder}/${name}.qmp\n    images: {vda: ${folder}/${name}.qcow2}\n`,
    );
    await writeFile(
      host,
      `vms:\n${entries.join('')}wires:\n  vim:\n    address: 127.0.0.1:0\n    users: ${folder}/users.json\n  metrics:\n    address: 127.0.0.1:0\n`,
    );
  };
  await write(['web']);
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder, 'web.qcow2'), '8M');
  const env = { ...process.env, QEMU_CBT_STATE: join(folder, 'state'), QEMU_CBT_HOST: host };
  return { folder, host, env, write };
}

async function run(
  env: NodeJS.ProcessEnv,
  args: string[],
  input = '',
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [COMMAND, ...args], { env });
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([
    child.stdout.toArray(),
    child.stderr.toArray(),
    once(child, 'exit'),
  ]);
  return {
    code: Number(code),
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  };
}

/** A service and its log. */
async function start(env: NodeJS.ProcessEnv): Promise<{
  child: ChildProcess;
  ready: Ready;
  logged(event: string): Promise<string>;
  ended: Promise<unknown[]>;
}> {
  const child = spawn(process.execPath, [COMMAND, 'serve', '--json'], { env });
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const lines: string[] = [];
  const waiting: (() => void)[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    for (const wake of waiting.splice(0)) wake();
  });
  const logged = async (event: string): Promise<string> => {
    for (;;) {
      const at = lines.findIndex((line) => line.includes(`event=${event}`));
      if (at >= 0) return lines.splice(at, 1)[0]!;
      await new Promise<void>((wake) => void waiting.push(wake));
    }
  };
  const out = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(out, 'line'), ended.then(() => [`ended: ${lines.join('\n')}`])]);
  return { child, ready: JSON.parse(line as string) as Ready, logged, ended };
}

function post(
  url: string,
  body: string,
  cookie = '',
): Promise<{ status: number; text: string; cookie: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'text/xml; charset=utf-8', ...(cookie !== '' && { Cookie: cookie }) };
    const asked = request(
      url,
      { method: 'POST', headers, rejectUnauthorized: false, agent: false },
      (response) => {
        response.toArray().then(
          (pieces) =>
            resolve({
              status: response.statusCode!,
              text: Buffer.concat(pieces).toString(),
              cookie: response.headers['set-cookie']?.[0] ?? '',
            }),
          reject,
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

const login = (url: string) =>
  post(
    url,
    call(
      'Login',
      'SessionManager',
      'ha-sessionmgr',
      `<userName>ops</userName><password>${PASSWORD}</password>`,
    ),
  );

test('it starts, refuses a second, reads the host file again, tells figures, and ends in order', async () => {
  const { folder, host, env, write } = await set();
  const without = await run(env, ['serve']);
  expect([without.code, without.stderr]).toEqual([
    2,
    expect.stringContaining(`${folder}/users.json is not there`),
  ]);
  expect((await run(env, ['user', 'add', 'ops', '--role', 'admin'], 'short\n')).code).toBe(2);
  expect((await run(env, ['user', 'add', 'ops', '--role', 'admin'], `${PASSWORD}\n`)).code).toBe(0);
  expect((await run(env, ['user', 'list'])).stdout).toBe('ops   admin   all VMs\n');
  expect(await readFile(join(folder, 'users.json'), 'utf8')).not.toContain(PASSWORD);

  const { child, ready, logged, ended } = await start(env);
  expect(ready).toMatchObject({
    vms: 1,
    thumbprint: expect.stringMatching(/^([0-9A-F]{2}:){19}[0-9A-F]{2}$/),
  });
  const second = await run(env, ['serve']);
  expect([second.code, second.stderr]).toEqual([
    5,
    expect.stringContaining(`${host} is served already, by process ${child.pid}`),
  ]);

  const { cookie, status } = await login(ready.url);
  expect([status, cookie]).toEqual([
    200,
    expect.stringMatching(/^vmware_soap_session="[0-9a-f]{64}"; Path=\/; HttpOnly; Secure$/),
  ]);
  const names = async (): Promise<string[]> => {
    const down =
      '<selectSet xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="TraversalSpec"><type>Folder</type><path>childEntity</path></selectSet>';
    const spec = filterSpec('specSet', 'Folder', 'ha-folder-vm', [], down).replace(
      '<type>Folder</type>',
      '<type>VirtualMachine</type><pathSet>name</pathSet>',
    );
    const { text } = await post(
      ready.url,
      call('RetrieveProperties', 'PropertyCollector', 'ha-property-collector', spec),
      cookie,
    );
    return [...text.matchAll(/<val xsi:type="xsd:string">([^<]*)<\/val>/g)].map(([, name]) => name!);
  };
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

  // Somebody waits for changes: he is told that it ends, and holds nothing up.
  const wait = post(
    ready.url,
    call('WaitForUpdatesEx', 'PropertyCollector', 'ha-property-collector'),
    cookie,
  ).catch((error: Error) => error);
  child.kill('SIGTERM');
  expect(await logged('stopped')).toContain('level=info');
  expect(await ended).toEqual([0, null]);
  await wait;

  await write(['web']);
  const again = await start(env);
  expect(again.ready.thumbprint).toBe(ready.thumbprint);
  await expect(
    post(again.ready.url, call('CurrentTime', 'ServiceInstance', 'ServiceInstance'), cookie),
  ).resolves.toMatchObject({ status: 500 });
}, 90_000);

test('whoever says nothing, too much or nonsense costs nobody else the service', async () => {
  const { env } = await set();
  await run(env, ['user', 'add', 'ops', '--role', 'admin'], `${PASSWORD}\n`);
  const { ready } = await start(env);
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
