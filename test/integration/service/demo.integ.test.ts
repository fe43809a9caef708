/** The service over VMs of its own, and what goes wrong in it by rules: each as a client meets it. */
import { access } from 'node:fs/promises';
import { request } from 'node:https';
import { expect, onTestFinished, test } from 'vitest';
import { Demo } from '../../../lib/demo/demo.js';
import { Log } from '../../../lib/service/log.js';
import { parseFaultPlan } from '../../../lib/service/vim/faults/faultRules.js';
import { eventually } from '../../helpers/eventually.js';
import { post } from '../../helpers/vim/servedCommand.js';
import { call } from '../../helpers/vim/soapClient.js';

interface Rule {
  on: string;
  do: string;
  nth?: number;
  times?: number;
}

class Client {
  cookie = '';

  constructor(readonly demo: Demo) {}

  static async start(rules: Rule[] = []): Promise<Client> {
    const faults = parseFaultPlan('rules', JSON.stringify({ seed: 7, rules }));
    const log = new Log(() => undefined, {});
    const demo = await Demo.start({ address: '127.0.0.1:0', faults, log, env: {} });
    onTestFinished(() => demo.stop());
    const client = new Client(demo);
    await client.login();
    return client;
  }

  async login(): Promise<void> {
    const { user, password } = this.demo.started;
    const inner = `<userName>${user}</userName><password>${password}</password>`;
    this.cookie = '';
    const { cookie } = await post(
      this.demo.started.url,
      call('Login', 'SessionManager', 'ha-sessionmgr', inner),
    );
    this.cookie = cookie;
  }

  async ask(method: string, type: string, value: string, inner = ''): Promise<string> {
    return (await post(this.demo.started.url, call(method, type, value, inner), this.cookie)).text;
  }

  async run(method: string, type: string, value: string, inner = ''): Promise<string> {
    const text = await this.ask(method, type, value, inner);
    const [, task = text] = /<returnval type="Task">(task-[^<]*)</.exec(text) ?? [];
    return eventually(async () => {
      const info = await this.ask('Fetch', 'Task', task, '<prop>info</prop>');
      expect(info).toMatch(/<state>(success|error)<\/state>/);
      return info;
    });
  }

  async track(): Promise<void> {
    const spec = '<spec><changeTrackingEnabled>true</changeTrackingEnabled></spec>';
    expect(await this.run('ReconfigVM_Task', 'VirtualMachine', 'vm-1', spec)).toContain('success');
  }

  /** A snapshot's reference and the changeId of its disk. */
  async snapshot(): Promise<{ reference: string; changeId: string }> {
    const inner = '<name>a</name><description></description><memory>0</memory><quiesce>0</quiesce>';
    const info = await this.run('CreateSnapshot_Task', 'VirtualMachine', 'vm-1', inner);
    const [, reference = info] = /<result[^>]*>([^<]*)</.exec(info) ?? [];
    const config = await this.ask('Fetch', 'VirtualMachineSnapshot', reference, '<prop>config</prop>');
    return { reference, changeId: /<changeId>([^<]*)</.exec(config)?.[1] ?? config };
  }

  query(reference: string, changeId: string): Promise<string> {
    const inner = `<snapshot type="VirtualMachineSnapshot">${reference}</snapshot><deviceKey>2000</deviceKey><startOffset>0</startOffset><changeId>${changeId}</changeId>`;
    return this.ask('QueryChangedDiskAreas', 'VirtualMachine', 'vm-1', inner);
  }

  /** Other rules from now on, as a program between two of its tests sets them. */
  faults(method: string, rules?: unknown, password?: string): Promise<{ status: number; text: string }> {
    const { url, user, password: own } = this.demo.started;
    return new Promise((resolve, reject) => {
      const asked = request(
        url.replace('/sdk', '/demo/faults'),
        { method, auth: `${user}:${password ?? own}`, rejectUnauthorized: false, agent: false },
        (response) => {
          response
            .toArray()
            .then(
              (pieces) => resolve({ status: response.statusCode!, text: Buffer.concat(pieces).toString() }),
              reject,
            );
        },
      );
      asked.on('error', reject);
      asked.end(rules === undefined ? undefined : JSON.stringify(rules));
    });
  }

  rules(...rules: Rule[]): Promise<unknown> {
    return this.faults('PUT', { rules });
  }
}

const areasIn = (text: string): number => text.split('<changedArea>').length - 1;

test('one VM runs and is written to all the time, one is off; nothing is left at the end', async () => {
  const client = await Client.start();
  const { vms } = client.demo.started;
  expect(vms).toEqual([
    { name: 'web', moref: 'vm-1' },
    { name: 'db', moref: 'vm-2' },
  ]);
  const power = (vm: string) => client.ask('Fetch', 'VirtualMachine', vm, '<prop>runtime.powerState</prop>');
  expect([await power('vm-1'), await power('vm-2')]).toEqual([
    expect.stringContaining('poweredOn'),
    expect.stringContaining('poweredOff'),
  ]);
  await client.track();
  const { changeId, reference } = await client.snapshot();
  await client.run(
    'RemoveSnapshot_Task',
    'VirtualMachineSnapshot',
    reference,
    '<removeChildren>0</removeChildren>',
  );
  await eventually(async () => {
    const next = await client.snapshot();
    const changed = areasIn(await client.query(next.reference, changeId));
    await client.run('RemoveAllSnapshots_Task', 'VirtualMachine', 'vm-1');
    expect(changed).toBeGreaterThan(0);
  });
  await client.demo.stop();
  await expect(access(client.demo.folder)).rejects.toThrow('ENOENT');
}, 180_000);

test('what goes wrong is what the rules say, at the calls that they name', async () => {
  const client = await Client.start([{ on: 'QueryChangedDiskAreas', nth: 2, do: 'FileFault:CRASHED' }]);
  await client.track();
  const taken = await client.snapshot();
  const query = (changeId = '*') => client.query(taken.reference, changeId);
  expect(areasIn(await query())).toBeGreaterThan(2);
  expect(await query()).toContain('<key>qemu-cbt.CRASHED</key>');
  expect(areasIn(await query())).toBeGreaterThan(2);

  await client.rules({ on: 'QueryChangedDiskAreas', do: 'page:2' });
  expect(areasIn(await query())).toBe(2);
  await client.rules({ on: 'QueryChangedDiskAreas', do: 'close' });
  await expect(query()).rejects.toThrow(/aborted|hang up|ECONNRESET/);
  await client.rules({ on: 'QueryChangedDiskAreas', nth: 1, do: 'endSession' });
  expect(await query()).toContain('NotAuthenticatedFault');
  await client.login();
  expect(areasIn(await query())).toBeGreaterThan(2);
  await client.rules({ on: 'QueryChangedDiskAreas', nth: 1, do: 'removeSnapshots' });
  expect(await query()).toMatch(/ManagedObjectNotFoundFault/);

  // Each of these ends what was known of the disk: a changeId from before is a FileFault.
  for (const harm of ['loseBitmap', 'newEpoch', 'crash']) {
    await client.rules();
    const { changeId, reference } = await client.snapshot();
    expect([harm, changeId]).toEqual([harm, expect.stringMatching(/^[0-9a-f ]+-[0-9a-f ]+\/\d+$/)]);
    await client.run(
      'RemoveSnapshot_Task',
      'VirtualMachineSnapshot',
      reference,
      '<removeChildren>0</removeChildren>',
    );
    await client.rules({ on: 'CurrentTime', nth: 1, do: harm });
    await client.ask('CurrentTime', 'ServiceInstance', 'ServiceInstance');
    const next = await client.snapshot();
    expect([harm, await client.query(next.reference, changeId)]).toEqual([
      harm,
      expect.stringContaining('FileFaultFault'),
    ]);
    await client.run('RemoveAllSnapshots_Task', 'VirtualMachine', 'vm-1');
  }
  const size = async (): Promise<number> =>
    Number(
      /<capacityInBytes>(\d+)</.exec(
        await client.ask('Fetch', 'VirtualMachine', 'vm-1', '<prop>config.hardware.device</prop>'),
      )?.[1],
    );
  const before = await size();
  await client.rules({ on: 'CurrentTime', nth: 1, do: 'resize' });
  await client.ask('CurrentTime', 'ServiceInstance', 'ServiceInstance');
  expect(await size()).toBe(before + before / 16);
}, 240_000);

test('rules are changed by an administrator alone, and nonsense is refused with its place', async () => {
  const client = await Client.start();
  expect((await client.faults('GET', undefined, 'wrong password')).status).toBe(401);
  expect(await client.faults('PUT', { rules: [{ on: 'Login', do: 'nonsense' }] })).toEqual({
    status: 400,
    text: expect.stringContaining('rules.0.do is \\"nonsense\\", expected the name of a fault'),
  });
  expect((await client.faults('PUT', { rules: [{ on: 'NoMethod', do: 'hang' }] })).status).toBe(400);
  await client.rules({ on: 'CurrentTime', do: 'Timedout' });
  expect(await client.ask('CurrentTime', 'ServiceInstance', 'ServiceInstance')).toContain('TimedoutFault');
  expect(JSON.parse((await client.faults('GET')).text)).toEqual({ seed: 1, calls: [1] });
  expect((await client.faults('DELETE')).status).toBe(200);
  expect(await client.ask('CurrentTime', 'ServiceInstance', 'ServiceInstance')).not.toContain('Fault');
}, 60_000);

test('a VM that two clients bring down at once is up again, once, and goes with the rest at the end', async () => {
  const client = await Client.start([{ on: 'CurrentTime', nth: 1, times: 3, do: 'crash' }]);
  await client.track();
  const crash = () => client.ask('CurrentTime', 'ServiceInstance', 'ServiceInstance');
  for (const said of await Promise.all([crash(), crash()])) expect(said).toContain('CurrentTimeResponse');
  const { reference } = await client.snapshot();
  expect(areasIn(await client.query(reference, '*'))).toBeGreaterThan(0);
  // One more is on its way when all of it ends.
  const last = crash().catch(() => undefined);
  await client.demo.stop();
  await last;
  await expect(access(client.demo.folder)).rejects.toThrow('ENOENT');
}, 180_000);
