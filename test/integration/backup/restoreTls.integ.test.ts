/** `restore` to an export that speaks TLS: who is who is proved before the first byte is written. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cli } from '../../helpers/cli.js';
import { makeTlsKeys, startQemuNbd, startQemuNbdOnTcp, type TlsKeys } from '../../helpers/nbdServers.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';

const BYTES = 2 << 20;
let folder: TemporaryFolder;
let keys: TlsKeys;
let target: string;
let second: string;
let uri: string;
let overSocket: string;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  keys = await makeTlsKeys(folder.path);
  const image = join(folder.path, 'disk.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, String(BYTES));
  await qemuIo(['-f', 'qcow2', image], 'write -P 7 64k 1M');
  expect((await cli('backup', image, '--to', join(folder.path, 'backups'))).code).toBe(0);
  target = join(folder.path, 'target.raw');
  second = join(folder.path, 'second.raw');
  for (const file of [target, second]) await writeFile(file, Buffer.alloc(BYTES));
  const tls = (file: string, object: string) => [
    ...['--object', object, '--tls-creds', 'tls0'],
    ...['-e', '4', '--shared=0', '-f', 'raw', file],
  ];
  const tcp = await startQemuNbdOnTcp(
    folder.path,
    ...tls(target, `tls-creds-x509,id=tls0,endpoint=server,verify-peer=on,dir=${keys.serverFolder}`),
  );
  const unix = await startQemuNbd(
    folder.path,
    ...tls(second, `tls-creds-psk,id=tls0,endpoint=server,dir=${keys.pskFolder}`),
  );
  stops.push(
    () => tcp.stop(),
    () => unix.stop(),
  );
  uri = `nbds://localhost:${tcp.port}/`;
  overSocket = `nbds+unix:///?socket=${encodeURIComponent(unix.socket)}`;
});
afterAll(async () => {
  for (const stop of stops) await stop();
  await folder.remove();
});

const restore = (to: string, ...flags: string[]) =>
  cli('restore', '--from', join(folder.path, 'backups'), '--to', to, ...flags);

/** Fills the target with what no restore writes, and hands out whether it still is as it was. */
async function scribble(): Promise<() => Promise<boolean>> {
  await writeFile(target, Buffer.alloc(BYTES, 0xee), { flag: 'r+' });
  return async () => (await readFile(target)).every((byte) => byte === 0xee);
}

async function isRestored(file: string): Promise<boolean> {
  const bytes = await readFile(file);
  const held = bytes.subarray(65_536, 65_536 + (1 << 20)).every((byte) => byte === 7);
  return held && bytes.subarray(0, 65_536).every((byte) => byte === 0);
}

test('with the right certificates, and with the right key', async () => {
  await scribble();
  const { code, stderr } = await restore(uri, '--tls-certificates', keys.clientFolder);
  expect([code, stderr]).toEqual([0, '']);
  expect(await isRestored(target)).toBe(true);
  expect((await restore(overSocket, '--tls-psk', keys.pskFile, '--tls-username', keys.pskUser)).code).toBe(0);
  expect(await isRestored(second)).toBe(true);
});

test('a server whose authority is another is not written to, unless the check is off by name', async () => {
  const asItWas = await scribble();
  const stranger = await restore(uri, '--tls-certificates', keys.strangerFolder);
  expect(stranger.code).toBe(5);
  expect((await restore(uri, '--tls-certificates', join(folder.path, 'nowhere'))).code).toBe(5);
  expect(await asItWas()).toBe(true);
  // Ours is the certificate that the server asks for; the authority is not its own.
  const mixed = join(folder.path, 'mixed');
  await cp(keys.clientFolder, mixed, { recursive: true });
  await cp(join(keys.strangerFolder, 'ca-cert.pem'), join(mixed, 'ca-cert.pem'));
  expect((await restore(uri, '--tls-certificates', mixed)).code).toBe(5);
  expect(await asItWas()).toBe(true);
  expect((await restore(uri, '--tls-certificates', mixed, '--no-tls-verify')).code).toBe(0);
  expect(await isRestored(target)).toBe(true);
});

test('flags that do not go together, or without TLS, are usage errors before anything is opened', async () => {
  const asItWas = await scribble();
  const x509 = ['--tls-certificates', keys.clientFolder];
  for (const [to, ...flags] of [
    [uri],
    [uri, '--no-tls-verify'],
    [uri, '--tls-psk', keys.pskFile],
    [uri, '--tls-username', 'alice'],
    [uri, ...x509, '--tls-psk', keys.pskFile, '--tls-username', 'alice'],
    [uri.replace('nbds:', 'nbd:'), ...x509],
    [join(folder.path, 'new.raw'), ...x509],
  ] as string[][]) {
    const { code, stderr } = await restore(to ?? '', ...flags);
    expect([code, flags, stderr]).toEqual([2, flags, expect.stringMatching(/tls|TLS/)]);
  }
  expect(await asItWas()).toBe(true);
});
