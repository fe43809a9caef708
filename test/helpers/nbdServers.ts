/**
 * Real NBD servers under test: qemu-nbd and nbdkit, each on a unix socket of its own. Both go to the background by
 * themselves once they listen, so starting one needs no waiting. Also keys for TLS, made with openssl.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { greeted } from './nbdGreeting.js';

const run = promisify(execFile);

export interface NbdServerProcess {
  socket: string;
  pid: number;
  /** Ends it and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

let count = 0;

/** qemu-nbd that stays when clients leave; `args` end with the image. */
export async function startQemuNbd(folder: string, ...args: string[]): Promise<NbdServerProcess> {
  const { socket, pidFile } = names(folder);
  const program = process.env['QEMU_NBD'] ?? 'qemu-nbd';
  // In the background its stderr would keep ours open.
  const own = ['--fork', '--pid-file', pidFile, '--persistent', '--socket', socket];
  await run(program, [...own, ...args]);
  // With TLS it greets all the same.
  await greeted({ path: socket });
  return serverOf(socket, pidFile);
}

/** The same on a TCP port of this machine. */
export async function startQemuNbdOnTcp(
  folder: string,
  ...args: string[]
): Promise<NbdServerProcess & { port: number }> {
  const { pidFile } = names(folder);
  const port = await freePort();
  const program = process.env['QEMU_NBD'] ?? 'qemu-nbd';
  const own = [
    '--fork',
    '--pid-file',
    pidFile,
    '--persistent',
    '--bind',
    '127.0.0.1',
    '--port',
    String(port),
  ];
  await run(program, [...own, ...args]);
  await greeted({ host: '127.0.0.1', port });
  return { ...(await serverOf('', pidFile)), port };
}

/** qemu-nbd takes no port 0, so the kernel is asked for a free one first. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** nbdkit; `args` are filters, plugin and parameters. */
export async function startNbdkit(folder: string, ...args: string[]): Promise<NbdServerProcess> {
  const { socket, pidFile } = names(folder);
  await run('nbdkit', ['--unix', socket, '--pidfile', pidFile, ...args]);
  return serverOf(socket, pidFile);
}

function names(folder: string): { socket: string; pidFile: string } {
  count += 1;
  return { socket: join(folder, `s${count}`), pidFile: join(folder, `p${count}`) };
}

async function serverOf(socket: string, pidFile: string): Promise<NbdServerProcess> {
  // nbdkit leaves for the background first and writes the file when it listens.
  let written = '';
  while (!written.endsWith('\n')) {
    written = await readFile(pidFile, 'utf8').catch(() => '');
    if (written === '') await delay(5);
  }
  const pid = Number.parseInt(written, 10);
  return {
    socket,
    pid,
    async stop(signal = 'SIGTERM') {
      if (await isGone(pid)) return;
      process.kill(pid, signal);
      while (!(await isGone(pid))) await delay(5);
    },
  };
}

/** Not our child, so its end is seen in /proc only; one that waits for its parent counts as gone. */
export async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat === '' || /\) [ZX] /.test(stat);
}

export interface TlsKeys {
  /** What a server takes: certificate authority, its certificate and key. */
  serverFolder: string;
  /** What a client takes, with a certificate of its own. */
  clientFolder: string;
  /** The same from an authority that signed nothing here. */
  strangerFolder: string;
  /** `user:key in hex`. */
  pskFile: string;
  pskFolder: string;
  pskUser: string;
}

/** Keys in the names that both QEMU and libnbd look for. Needs openssl only. */
export async function makeTlsKeys(folder: string): Promise<TlsKeys> {
  const keys: TlsKeys = {
    serverFolder: join(folder, 'server'),
    clientFolder: join(folder, 'client'),
    strangerFolder: join(folder, 'stranger'),
    pskFolder: join(folder, 'psk'),
    pskFile: join(folder, 'psk', 'keys.psk'),
    pskUser: 'alice',
  };
  for (const each of [keys.serverFolder, keys.clientFolder, keys.strangerFolder, keys.pskFolder])
    await mkdir(each);
  await makeAuthority(folder, 'ca');
  await makeAuthority(folder, 'other');
  await sign(folder, 'ca', join(keys.serverFolder, 'server'), 'localhost');
  await sign(folder, 'ca', join(keys.clientFolder, 'client'), 'client');
  await sign(folder, 'other', join(keys.strangerFolder, 'client'), 'client');
  for (const [authority, to] of [
    ['ca', keys.serverFolder],
    ['ca', keys.clientFolder],
    ['other', keys.strangerFolder],
  ] as const) {
    await writeFile(join(to, 'ca-cert.pem'), await readFile(join(folder, `${authority}-cert.pem`)));
  }
  await writeFile(keys.pskFile, `${keys.pskUser}:${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
  return keys;
}

async function openssl(...args: string[]): Promise<void> {
  await run('openssl', args);
}

async function makeAuthority(folder: string, name: string): Promise<void> {
  const out = ['-keyout', join(folder, `${name}-key.pem`), '-out', join(folder, `${name}-cert.pem`)];
  await openssl(...'req -x509 -newkey rsa:2048 -nodes -days 2'.split(' '), '-subj', `/CN=${name}`, ...out);
}

async function sign(folder: string, authority: string, prefix: string, name: string): Promise<void> {
  const extensions = `${prefix}.ext`;
  await writeFile(extensions, `subjectAltName=DNS:${name},IP:127.0.0.1\n`);
  const request = ['-keyout', `${prefix}-key.pem`, '-out', `${prefix}.csr`];
  await openssl(...'req -newkey rsa:2048 -nodes'.split(' '), '-subj', `/CN=${name}`, ...request);
  const by = ['-CA', join(folder, `${authority}-cert.pem`), '-CAkey', join(folder, `${authority}-key.pem`)];
  const out = ['-in', `${prefix}.csr`, '-out', `${prefix}-cert.pem`, '-extfile', extensions];
  await openssl('x509', '-req', '-days', '2', '-CAcreateserial', ...by, ...out);
  await access(`${prefix}-cert.pem`);
}
