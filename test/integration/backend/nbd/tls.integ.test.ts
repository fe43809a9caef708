/**
 * TLS with a real qemu-nbd: certificates and shared keys, and everything that must not connect. Keys come from openssl in
 * a folder of the test's own.
 */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadNbdAddon } from '../../../../lib/backend/nbd/nbdAddon.js';
import { NbdConnection } from '../../../../lib/backend/nbd/nbdConnection.js';
import type { NbdTls } from '../../../../lib/backend/nbd/nbdTarget.js';
import { makeTlsKeys, startQemuNbd, startQemuNbdOnTcp, type TlsKeys } from '../../../helpers/nbdServers.js';
import { refusalOf } from '../../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let keys: TlsKeys;
let image: string;
const stops: (() => Promise<void>)[] = [];
let x509: { port: number; socket: string };
let psk: { socket: string };
let plain: { socket: string };
/** Asks no client who it is. */
let open: { port: number };

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  keys = await makeTlsKeys(folder.path);
  image = join(folder.path, 'a.raw');
  await writeFile(image, randomBytes(1 << 20));
  const served = ['-r', '-e', '4', '-f', 'raw', image];
  const certificates = `tls-creds-x509,id=tls0,endpoint=server,verify-peer=on,dir=${keys.serverFolder}`;
  const shared = `tls-creds-psk,id=tls0,endpoint=server,dir=${keys.pskFolder}`;
  const withTls = (object: string) => ['--object', object, '--tls-creds', 'tls0', ...served];
  const tcp = await startQemuNbdOnTcp(folder.path, ...withTls(certificates));
  const unix = await startQemuNbd(folder.path, ...withTls(certificates));
  const pskServer = await startQemuNbd(folder.path, ...withTls(shared));
  const plainServer = await startQemuNbd(folder.path, ...served);
  const openServer = await startQemuNbdOnTcp(
    folder.path,
    ...withTls(certificates.replace('peer=on', 'peer=off')),
  );
  stops.push(...[tcp, unix, pskServer, plainServer, openServer].map((server) => () => server.stop()));
  x509 = { port: tcp.port, socket: unix.socket };
  psk = pskServer;
  plain = plainServer;
  open = openServer;
});
afterAll(async () => {
  for (const stop of stops) await stop();
  await folder.remove();
});

const run = promisify(execFile);

async function filled(path: string, files: Record<string, string>): Promise<void> {
  await mkdir(path);
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
}

async function readsAll(target: Parameters<typeof NbdConnection.open>[0]): Promise<void> {
  const connection = await NbdConnection.open(target);
  try {
    expect(connection.info.tls).toBe(true);
    expect((await connection.read(0, 1 << 20)).equals(await readFile(image))).toBe(true);
  } finally {
    await connection.close();
  }
}

const x509Of = (certificates: string, verifyPeer = true): NbdTls => ({
  kind: 'x509',
  certificates,
  verifyPeer,
});
const pskOf = (file: string, username: string): NbdTls => ({ kind: 'psk', file, username });

describe('certificates', () => {
  test('over TCP: the server proves its name, the client its own', async () => {
    const tls = x509Of(keys.clientFolder);
    await readsAll({ kind: 'tcp', host: 'localhost', port: x509.port, tls });
    await readsAll({ kind: 'uri', uri: `nbds://localhost:${x509.port}/`, tls });
  });

  test('a server of another name is refused, unless the name does not matter', async () => {
    const host = { kind: 'tcp', host: '127.0.0.2', port: x509.port } as const;
    const wrong = await refusalOf(NbdConnection.open({ ...host, tls: x509Of(keys.clientFolder) }));
    expect(wrong.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
  });

  test('an authority that did not sign the server is refused', async () => {
    const tls = x509Of(keys.strangerFolder);
    const error = await refusalOf(
      NbdConnection.open({ kind: 'tcp', host: 'localhost', port: x509.port, tls }),
    );
    expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
  });

  test('the server refuses a client it does not know', async () => {
    const tls = x509Of(keys.strangerFolder, false);
    const error = await refusalOf(
      NbdConnection.open({ kind: 'tcp', host: 'localhost', port: x509.port, tls }),
    );
    expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
  });

  test('without a usable authority no server is accepted, and the message names the file', async () => {
    const authority = await readFile(join(keys.clientFolder, 'ca-cert.pem'), 'utf8');
    const folders: Record<string, (path: string) => Promise<unknown>> = {
      missing: async () => undefined,
      empty: (path) => mkdir(path),
      'empty file': (path) => filled(path, { 'ca-cert.pem': '' }),
      'no certificate': (path) => filled(path, { 'ca-cert.pem': 'certainly\n' }),
      misspelt: (path) => filled(path, { 'ca_cert.pem': authority }),
      folder: (path) => mkdir(join(path, 'ca-cert.pem'), { recursive: true }),
      fifo: async (path) => {
        await mkdir(path);
        await run('mkfifo', [join(path, 'ca-cert.pem')]);
      },
    };
    for (const [name, make] of Object.entries(folders)) {
      const certificates = join(folder.path, name);
      await make(certificates);
      const target = {
        kind: 'tcp',
        host: 'localhost',
        port: open.port,
        tls: { kind: 'x509', certificates },
      } as const;
      const error = await refusalOf(NbdConnection.open(target));
      expect(error.code, name).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
      expect(error.message, name).toContain(join(certificates, 'ca-cert.pem'));
    }
    // The server would take anybody: only our check stands between.
    await readsAll({ kind: 'tcp', host: 'localhost', port: open.port, tls: x509Of(keys.clientFolder) });
  });

  test('a client certificate without its key, or a key alone, is refused before anything is connected', async () => {
    for (const [there, missing] of [
      ['client-cert.pem', 'client-key.pem'],
      ['client-key.pem', 'client-cert.pem'],
    ] as const) {
      const certificates = join(folder.path, `only ${there}`);
      await filled(certificates, {
        'ca-cert.pem': await readFile(join(keys.clientFolder, 'ca-cert.pem'), 'utf8'),
        [there]: await readFile(join(keys.clientFolder, there), 'utf8'),
      });
      const error = await refusalOf(
        NbdConnection.open({ kind: 'tcp', host: 'localhost', port: open.port, tls: x509Of(certificates) }),
      );
      expect(error.message).toContain(missing);
    }
  });

  test('only the word false turns the check off', async () => {
    for (const verifyPeer of [0, null, 'off', '', 'false']) {
      const tls = { ...x509Of(keys.clientFolder), verifyPeer } as unknown as NbdTls;
      const error = await refusalOf(
        NbdConnection.open({ kind: 'tcp', host: 'localhost', port: open.port, tls }),
      );
      expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
      expect(error.details['argument']).toBe('tls.verifyPeer');
    }
  });

  test('over a unix socket: where libnbd cannot verify, only without verification', async () => {
    const target = { kind: 'unix', path: x509.socket } as const;
    await readsAll({ ...target, tls: x509Of(keys.clientFolder, false) });
    // CVE-2024-7383: before 1.20.3 (1.18.5) any certificate would do.
    const [, minor = 0, patch = 0] = loadNbdAddon().libnbd.split('.').map(Number);
    const verifies = minor > 20 || (minor === 20 && patch >= 3) || (minor === 18 && patch >= 5);
    if (verifies) await readsAll({ ...target, tls: x509Of(keys.clientFolder) });
    else {
      const error = await refusalOf(NbdConnection.open({ ...target, tls: x509Of(keys.clientFolder) }));
      expect(error.code).toBe('ERR_CBT_UNSUPPORTED');
      const uri = `nbds+unix:///?socket=${encodeURIComponent(x509.socket)}`;
      const same = await refusalOf(NbdConnection.open({ kind: 'uri', uri, tls: x509Of(keys.clientFolder) }));
      expect(same.code).toBe('ERR_CBT_UNSUPPORTED');
    }
  });
});

describe('shared keys', () => {
  test('the right key and name connect', async () => {
    const tls = pskOf(keys.pskFile, keys.pskUser);
    await readsAll({ kind: 'unix', path: psk.socket, tls });
    await readsAll({ kind: 'uri', uri: `nbds+unix:///?socket=${encodeURIComponent(psk.socket)}`, tls });
  });

  test('another key, another name or no key file do not, and no key gets into a message', async () => {
    const other = join(folder.path, 'other.psk');
    const key = randomBytes(32).toString('hex');
    await writeFile(other, `${keys.pskUser}:${key}\n`);
    for (const tls of [
      pskOf(other, keys.pskUser),
      pskOf(keys.pskFile, 'mallory'),
      pskOf('/none.psk', 'alice'),
    ]) {
      const error = await refusalOf(NbdConnection.open({ kind: 'unix', path: psk.socket, tls }));
      expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
      expect(JSON.stringify(error)).not.toContain(key);
    }
  });
});

describe('who wants TLS', () => {
  test('is not served without', async () => {
    const tls = pskOf(keys.pskFile, keys.pskUser);
    const error = await refusalOf(NbdConnection.open({ kind: 'unix', path: plain.socket, tls }));
    expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
  });

  test('does not serve without', async () => {
    const error = await refusalOf(NbdConnection.open({ kind: 'unix', path: psk.socket }));
    expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
  });
});
