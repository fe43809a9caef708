/** Loading the addon: what it says when it cannot, and which values it refuses without a server. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { loadNbdAddon } from '../../../../lib/backend/nbd/nbdAddon.js';
import { NbdConnection } from '../../../../lib/backend/nbd/nbdConnection.js';
import type { NbdTarget } from '../../../../lib/backend/nbd/nbdTarget.js';
import type { OpenDataOptions } from '../../../../lib/core/diskData.js';
import { withFolder } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';

afterEach(() => {
  delete process.env['QEMU_CBT_NBD_ADDON_PATH'];
  vi.resetModules();
});

/** The loader as a fresh process has it. */
async function freshLoader(): Promise<() => unknown> {
  vi.resetModules();
  return (await import('../../../../lib/backend/nbd/nbdAddon.js')).loadNbdAddon;
}

describe('loading', () => {
  test('says which libnbd it has', () => {
    expect(loadNbdAddon().libnbd).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test('names the file, the reason and the packages when it fails', async () => {
    process.env['QEMU_CBT_NBD_ADDON_PATH'] = '/does/not/exist.node';
    const load = await freshLoader();
    expect(load).toThrow(
      expect.objectContaining({
        code: 'ERR_CBT_UNSUPPORTED',
        message: expect.stringMatching(/\/does\/not\/exist\.node: not there.*libnbd-dev.*libnbd-devel/),
      }),
    );
  });

  test('refuses an addon of another build', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'other.cjs');
      await writeFile(path, 'module.exports = { interface: 0 };');
      process.env['QEMU_CBT_NBD_ADDON_PATH'] = path;
      const load = await freshLoader();
      expect(load).toThrow(/its interface is 0, expected 1/);
    });
  });
});

describe('a target', () => {
  const tls = { kind: 'psk', file: '/keys.psk', username: 'alice' } as const;

  test.each<[string, NbdTarget, OpenDataOptions]>([
    ['path', { kind: 'unix', path: '' }, {}],
    ['path', { kind: 'unix', path: '/a\0b' }, {}],
    ['path', { kind: 'unix', path: `/${'x'.repeat(107)}` }, {}],
    ['exportName', { kind: 'unix', path: '/s', exportName: 'x'.repeat(4097) }, {}],
    ['exportName', { kind: 'unix', path: '/s', exportName: 'a\0' }, {}],
    ['host', { kind: 'tcp', host: '' }, {}],
    ['port', { kind: 'tcp', host: 'h', port: 0 }, {}],
    ['port', { kind: 'tcp', host: 'h', port: 65536 }, {}],
    ['uri', { kind: 'uri', uri: 'http://h/' }, {}],
    ['uri', { kind: 'uri', uri: 'nbd+vsock:///' }, {}],
    ['uri', { kind: 'uri', uri: 'nbds://alice:hunter2@h/', tls }, {}],
    ['uri', { kind: 'uri', uri: 'nbds://h/?tls-psk-file=/etc/shadow', tls }, {}],
    ['tls', { kind: 'uri', uri: 'nbds://h/' }, {}],
    ['uri', { kind: 'uri', uri: 'nbd://h/', tls }, {}],
    ['tls.username', { kind: 'unix', path: '/s', tls: { ...tls, username: '' } }, {}],
    ['tls.certificates', { kind: 'unix', path: '/s', tls: { kind: 'x509', certificates: '' } }, {}],
    ['contexts[0]', { kind: 'unix', path: '/s' }, { contexts: [5 as unknown as string] }],
    ['contexts', { kind: 'unix', path: '/s' }, { contexts: [''] }],
    ['contexts', { kind: 'unix', path: '/s' }, { contexts: Array.from({ length: 65 }, String) }],
    ['connections', { kind: 'unix', path: '/s' }, { connections: 0 }],
    ['connections', { kind: 'unix', path: '/s' }, { connections: 17 }],
    ['connectTimeoutMs', { kind: 'unix', path: '/s' }, { connectTimeoutMs: 0 }],
    ['requestTimeoutMs', { kind: 'unix', path: '/s' }, { requestTimeoutMs: -1 }],
    ['target.kind', { kind: 'carrier pigeon' } as unknown as NbdTarget, {}],
  ])('with a wrong %s is refused: %j %j', async (argument, target, options) => {
    const error = await refusalOf(NbdConnection.open(target, options));
    expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    expect(error.details['argument']).toBe(argument);
    expect(error.message).not.toContain('hunter2');
  });

  test('that nobody listens at is not there', async () => {
    const error = await refusalOf(NbdConnection.open({ kind: 'unix', path: '/does/not/exist' }));
    expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
    expect(error.details['errno']).toBe('ENOENT');
    const refused = await refusalOf(NbdConnection.open({ kind: 'tcp', host: '127.0.0.1', port: 1 }));
    expect(refused.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
    const unknown = await refusalOf(NbdConnection.open({ kind: 'tcp', host: 'no.such.host.invalid' }));
    expect(unknown.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
  });

  test('is not connected to when the caller has given up', async () => {
    const signal = AbortSignal.abort();
    const error = await refusalOf(NbdConnection.open({ kind: 'unix', path: '/s' }, { signal }));
    expect(error.code).toBe('ERR_CBT_ABORTED');
  });
});
