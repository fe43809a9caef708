/** The service is killed, and started again: what became of tasks is known to the next one. */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../helpers/eventually.js';
import { login, makeHost, post, runCommand, startServing } from '../../helpers/vim/servedCommand.js';
import { PASSWORD } from '../../helpers/vim/service.js';
import { call } from '../../helpers/vim/soapClient.js';

/** A monitor that takes connections and never says a word: whoever asks it waits. */
async function silentMonitor(path: string): Promise<void> {
  const server = createServer((socket) => void socket.on('error', () => undefined));
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  onTestFinished(() => void server.close());
}

class Client {
  private constructor(
    readonly url: string,
    readonly cookie: string,
  ) {}

  static async login(url: string): Promise<Client> {
    return new Client(url, (await login(url)).cookie);
  }

  async ask(method: string, type: string, value: string, inner = ''): Promise<string> {
    return (await post(this.url, call(method, type, value, inner), this.cookie)).text;
  }

  /** The reference of the task that it began. */
  async begin(method: string, vm: string, inner = ''): Promise<string> {
    const text = await this.ask(method, 'VirtualMachine', vm, inner);
    const [, task] = /<returnval type="Task">(task-[^<]*)</.exec(text) ?? [];
    if (task === undefined) throw new Error(text);
    return task;
  }

  info(task: string): Promise<string> {
    return this.ask('Fetch', 'Task', task, '<prop>info</prop>');
  }
}

const SNAPSHOT = '<name>one</name><description></description><memory>0</memory><quiesce>0</quiesce>';
const TRACKING = '<spec><changeTrackingEnabled>true</changeTrackingEnabled></spec>';

test('what became of tasks is told by the next service; one that ran is told as failed, and never as queued', async () => {
  const { folder, env, write } = await makeHost();
  await runCommand(env, ['user', 'add', 'ops', '--role', 'admin'], `${PASSWORD}\n`);
  await silentMonitor(join(folder, 'silent.qmp'));
  await write(['web', 'silent']);
  const first = await startServing(env);
  let client = await Client.login(first.ready.url);
  const tracked = await client.begin('ReconfigVM_Task', 'vm-1', TRACKING);
  const taken = await client.begin('CreateSnapshot_Task', 'vm-1', SNAPSHOT);
  const refused = await client.begin('RevertToCurrentSnapshot_Task', 'vm-1');
  const running = await client.begin('CreateSnapshot_Task', 'vm-2', SNAPSHOT);
  for (const [task, state] of [
    [tracked, 'success'],
    [taken, 'success'],
    [refused, 'error'],
    [running, 'running'],
  ] as const)
    await eventually(async () => expect(await client.info(task)).toContain(`<state>${state}</state>`));
  const shown = await Promise.all([tracked, taken, refused].map((task) => client.info(task)));
  first.child.kill('SIGKILL');
  await first.ended;

  const second = await startServing(env);
  client = await Client.login(second.ready.url);
  expect(await Promise.all([tracked, taken, refused].map((task) => client.info(task)))).toEqual(shown);
  expect(shown[1]).toContain('type="VirtualMachineSnapshot">1-snapshot-1</result>');
  const ended = await client.info(running);
  expect(ended).toContain('<state>error</state>');
  expect(ended).toContain('<fault xsi:type="SystemError">');
  expect(ended).toContain('<key>qemu-cbt.ERR_CBT_CONNECTION_LOST</key>');
  expect(ended).toContain('look at silent');
  expect(await client.ask('Fetch', 'VirtualMachine', 'vm-1', '<prop>recentTask</prop>')).toContain(taken);

  // And the next one tells the same, whatever happened to it.
  second.child.kill('SIGKILL');
  await second.ended;
  const third = await startServing(env);
  client = await Client.login(third.ready.url);
  expect(await client.info(running)).toBe(ended);
}, 120_000);
