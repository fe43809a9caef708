/** Ten thousand connections that send nothing: what they cost, and that whoever works does not notice. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { login, makeHost, runCommand, startServing } from '../../helpers/vim/servedCommand.js';
import { PASSWORD } from '../../helpers/vim/service.js';
import { call } from '../../helpers/vim/soapClient.js';

const CONNECTIONS = 10_000;
/** At the same time on their way. */
const AT_ONCE = 250;
/** Of one address: fewer than it may have, so that no limit of an address keeps them off. */
const PER_ADDRESS = 50;
const MOST_MIB = 200;

async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

/** A client that keeps its one connection. */
class Keeping {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });

  constructor(
    readonly url: string,
    readonly cookie: string,
  ) {
    onTestFinished(() => this.#agent.destroy());
  }

  /** The status, and whether it came over the connection that was there already. */
  ask(body: string): Promise<{ status: number; reused: boolean }> {
    return new Promise((resolve, reject) => {
      const headers = { 'Content-Type': 'text/xml', Cookie: this.cookie };
      const asked = request(this.url, { method: 'POST', headers, agent: this.#agent }, (response) => {
        response.resume();
        response.once('end', () => resolve({ status: response.statusCode!, reused: asked.reusedSocket }));
      });
      asked.once('error', reject);
      asked.end(body);
    });
  }
}

test('ten thousand silent connections cost little, and nobody the service', async () => {
  const { env } = await makeHost();
  await runCommand(env, ['user', 'add', 'ops', '--role', 'admin'], `${PASSWORD}\n`);
  const { child, ready } = await startServing(env);
  const { port } = new URL(ready.url);
  const { cookie } = await login(ready.url);
  const [working, waiting] = [new Keeping(ready.url, cookie), new Keeping(ready.url, cookie)];
  const now = call('CurrentTime', 'ServiceInstance', 'ServiceInstance');
  for (const one of [working, waiting]) expect(await one.ask(now)).toEqual({ status: 200, reused: false });
  let hasEnded = false;
  const wait = waiting
    .ask(call('WaitForUpdatesEx', 'PropertyCollector', 'ha-property-collector'))
    .finally(() => {
      hasEnded = true;
    });
  wait.catch(() => undefined);
  const before = await residentMib(child.pid!);
  let most = before;

  const open = new Set<Socket>();
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
  });
  for (let from = 0; from < CONNECTIONS; from += AT_ONCE) {
    const sockets = Array.from({ length: AT_ONCE }, (_, at) => {
      const number = Math.floor((from + at) / PER_ADDRESS);
      const localAddress = `127.1.${number >> 8}.${(number % 256 || 1) & 255}`;
      const socket = connect({ host: '127.0.0.1', port: Number(port), localAddress });
      socket.on('error', () => undefined);
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      return socket;
    });
    await Promise.all(
      sockets.map((socket) => Promise.race([once(socket, 'connect'), once(socket, 'close')])),
    );
    most = Math.max(most, await residentMib(child.pid!));
    expect(await working.ask(now)).toEqual({ status: 200, reused: true });
  }
  expect(most - before).toBeLessThan(MOST_MIB);
  const figures = await (await fetch(ready.metrics)).text();
  // As many of one address as show no session, and the one that does.
  expect(Number(/^qemu_cbt_connections (\d+)$/m.exec(figures)?.[1])).toBeLessThanOrEqual(512 + 1);
  expect((await login(ready.url)).status).toBe(200);
  expect(hasEnded).toBe(false);
  child.kill('SIGTERM');
  await wait.catch(() => undefined);
}, 240_000);
