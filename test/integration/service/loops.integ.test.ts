/**
 * The sentence that the service is for: programs written for vCenter, with the libraries that such programs are written with and
 * nothing of ours in them, do their loop on a running QEMU, and are told exactly what the guest wrote.
 */
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KIB64, MIB, startVm } from '../../conformance/vsphere/support.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';
import { PASSWORD, serve } from '../../helpers/vim/service.js';
import { Stepper } from '../../helpers/vim/stepper.js';

const run = promisify(execFile);
const program = (name: string): string => fileURLToPath(new URL(`./clients/${name}`, import.meta.url));

interface Point {
  changeId: string;
  areas: [number, number][];
}

let work: TemporaryFolder;
beforeAll(async () => {
  work = await makeTemporaryFolder();
});
afterAll(() => work.remove());

/** As the package of Debian has it: sources that are compiled with the program. */
async function compile(): Promise<string> {
  const [file, cache] = [join(work.path, 'loop'), join(work.path, 'cache')];
  const env = { ...process.env, GOPATH: '/usr/share/gocode', GO111MODULE: 'off', GOCACHE: cache };
  await run('go', ['build', '-o', file, program('loop.go')], { env });
  await rm(cache, { recursive: true, force: true });
  return file;
}

const clients: [string, () => Promise<[string, ...string[]]>][] = [
  ['pyVmomi', () => Promise.resolve(['/usr/bin/python3', program('loop.py')])],
  ['rbvmomi', () => Promise.resolve(['ruby', program('loop.rb')])],
  ['govmomi', async () => [await compile()]],
];

describe.each(clients)('%s', (_name, command) => {
  test('logs in, finds the VM, tracks it, and is told exactly what the guest wrote', async () => {
    const { service: facade, daemon } = await startVm();
    const { port, notes } = await serve(facade);
    const [file, ...args] = await command();
    const client = new Stepper(file, [...args, '127.0.0.1', String(port), 'backup', PASSWORD, 'web']);
    expect(await client.next()).toMatchObject({ power: 'poweredOn' });
    expect(await client.step('enable')).toEqual({ tracking: true });
    await daemon.guestIo('d', `write -P 1 ${MIB} 64k`, `write -P 2 ${5 * MIB} 128k`);
    const full = await client.step<Point>('point *');
    expect(full.areas).toEqual([
      [MIB, KIB64],
      [5 * MIB, 2 * KIB64],
    ]);
    await daemon.guestIo('d', `write -P 3 ${9 * MIB} 64k`);
    const first = await client.step<Point>(`point ${full.changeId}`);
    expect(first.areas).toEqual([[9 * MIB, KIB64]]);
    await daemon.guestIo('d', `write -P 4 ${20 * MIB} 64k`);
    // Any point of the history, not only the last.
    expect((await client.step<Point>(`point ${full.changeId}`)).areas).toEqual([
      [9 * MIB, KIB64],
      [20 * MIB, KIB64],
    ]);
    expect((await client.step<Point>(`point ${first.changeId}`)).areas).toEqual([[20 * MIB, KIB64]]);
    expect(await client.step('end')).toEqual({ done: true });
    const changes = notes.filter((note) => note.changes).map(({ method, user }) => `${user} ${method}`);
    expect(changes.slice(0, 3)).toEqual([
      'backup ReconfigVM_Task',
      'backup CreateSnapshot_Task',
      'backup RemoveSnapshot_Task',
    ]);
  }, 300_000);
});

test('a fault comes to pyVmomi as its class, with the reason in words', async () => {
  const { service: facade } = await startVm();
  const { port } = await serve(facade);
  const args = [program('loop.py'), '127.0.0.1', String(port), 'backup', PASSWORD, 'web'];
  const client = new Stepper('/usr/bin/python3', args);
  expect(await client.next()).toMatchObject({ tracking: false, capacity: 64 * MIB, moref: 'vm-1' });
  expect(await client.step('query *')).toMatchObject({
    fault: 'vim.fault.FileFault',
    message: [expect.stringContaining('the VM runs')],
  });
}, 60_000);

test('virsh -c esx:// lists the VMs, tells of one, and of its snapshots', async () => {
  const { service: facade, vm } = await startVm();
  const { port } = await serve(facade);
  await vm.CreateSnapshot_Task('before', '', false, false).wait();
  const auth = join(work.path, 'auth.conf');
  await writeFile(
    auth,
    `[credentials-x]\nusername=reader\npassword=${PASSWORD}\n[auth-esx-127.0.0.1]\ncredentials=x\n`,
    { mode: 0o600 },
  );
  const virsh = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, LIBVIRT_AUTH_FILE: auth };
    const uri = `esx://reader@127.0.0.1:${port}/?no_verify=1`;
    return (await run('virsh', ['-q', '-c', uri, ...args], { env })).stdout;
  };
  expect((await virsh('hostname')).trim()).toBe(hostname());
  expect((await virsh('list', '--all')).trim().split(/\s+/)).toEqual(['1', 'web', 'running']);
  expect(await virsh('dominfo', 'web')).toMatch(new RegExp(`^UUID: +${vm.config.uuid}$`, 'm'));
  expect(await virsh('nodeinfo')).toMatch(/^Memory size: +\d+ KiB$/m);
  expect(await virsh('snapshot-list', 'web')).toMatch(/^\s*before .* shutoff/);
}, 60_000);
