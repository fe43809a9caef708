/** A domain goes from one libvirt to another while it runs, with its image on storage that both have. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openVm, type Vm } from '../../../../lib/index.js';
import { cli } from '../../../helpers/cli.js';
import { LibvirtDaemon } from '../../../helpers/libvirtDaemon.js';
import { qemuImg } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';

const GRANULE = 65_536;
let here: LibvirtDaemon;
let there: LibvirtDaemon;
let serial = 0;
let name: string;
let image: string;

beforeAll(async () => {
  [here, there] = await Promise.all([LibvirtDaemon.start(), LibvirtDaemon.start()]);
  await mkdir(here.file('images'));
  await chmod(here.file('images'), 0o777);
});
afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
  await there?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  name = `web${++serial}`;
  image = here.file(`images/${name}.qcow2`);
  await qemuImg('create', '-q', '-f', 'qcow2', image, '32M');
  await here.define(name, [{ target: 'vda', file: image }]);
  await here.virsh('start', name);
});

const migrate = (): Promise<string> =>
  here.virsh(
    ...['migrate', name, there.uri, '--live', '--unsafe', '--persistent', '--undefinesource'],
    ...['--migrateuri', 'tcp://127.0.0.1'],
  );
const write = (at: LibvirtDaemon, granule: number): Promise<void> =>
  at.guestIo(name, 'virtio-disk0', `write -P 7 ${granule * GRANULE} 4k`);
const open = (at: LibvirtDaemon): Promise<Vm> => openVm({ address: at.address(name) });

async function changed(vm: Vm, from: string): Promise<number[]> {
  await using disk = await vm.openDisk('vda');
  const found: number[] = [];
  for await (const { offset, length } of await disk.changes({ from }))
    for (let at = offset; at < offset + length; at += GRANULE) found.push(at / GRANULE);
  return found;
}

test('its points go with it: the next backup is incremental, into the same folder', async () => {
  const to = here.file(`backup-${name}`);
  const backup = async (at: LibvirtDaemon): Promise<unknown> => {
    const { code, stdout } = await cli('backup', '--vm', at.address(name), '--to', to, '--json');
    expect(code).toBe(0);
    return JSON.parse(stdout).disks.map(({ key, verdict }: { key: string; verdict: string }) => [
      key,
      verdict,
    ]);
  };
  await write(here, 1);
  expect(await backup(here)).toEqual([['vda', 'full']]);
  await write(here, 2);
  await migrate();
  await write(there, 3);
  expect(await backup(there)).toEqual([['vda', 'incremental']]);
  expect((await cli('verify', '--from', to, '--vm', there.address(name))).code).toBe(0);
});

test('a session keeps it here until it ends; a program that was connected hears that it went', async () => {
  const vm = await open(here);
  const { pit } = await vm.enable();
  await write(here, 1);
  const session = await vm.begin();
  await expect(migrate()).rejects.toThrow();
  expect((await here.virsh('domstate', name)).trim()).toBe('running');
  await session.check();
  await session.commit();
  await migrate();
  expect(await refusalOf(vm.facts())).toMatchObject({
    code: 'ERR_CBT_CONNECTION_LOST',
    message: expect.stringContaining('migrated to another host'),
  });
  await vm.close();
  expect(await refusalOf(open(here))).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
  await write(there, 2);
  await using arrived = await open(there);
  expect(await changed(arrived, String(pit))).toEqual([1, 2]);
  expect(await changed(arrived, session.pit)).toEqual([2]);
});

test('every domain of a libvirt has a folder of its own, which stays its own when it is renamed', async () => {
  const to = here.file(`all-${name}`);
  const all = async (): Promise<{ vm: string; to: string; verdict?: string; error?: object }[]> => {
    const { stdout } = await cli('backup', '--all', '--vm', `libvirt:${here.uri}`, '--to', to, '--json');
    return JSON.parse(stdout).vms.map(
      ({ disks, ...told }: { vm: string; to: string; disks?: { verdict: string }[] }) => ({
        ...told,
        verdict: disks?.[0]?.verdict,
      }),
    );
  };
  await here.define('broken', [{ target: 'vda', file: here.file('images/none.qcow2') }]);
  const first = await all();
  expect(first.find(({ vm }) => vm === name)).toMatchObject({ to: `${to}/${name}`, verdict: 'full' });
  expect(first.find(({ vm }) => vm === 'broken')?.error).toBeDefined();
  await here.virsh('destroy', name, '--graceful');
  await here.virsh('domrename', name, `${name}-new`);
  const second = await all();
  expect(second.find(({ vm }) => vm === `${name}-new`)).toMatchObject({
    to: `${to}/${name}`,
    verdict: 'incremental',
  });
  await here.virsh('undefine', 'broken');
  await here.virsh('undefine', `${name}-new`);
});

test('its disk goes with it: the newest point answers there, older ones are gone and say so', async () => {
  const arrives = there.file('run/web-disk.qcow2');
  await chmod(there.file('run'), 0o777);
  await qemuImg('create', '-q', '-f', 'qcow2', arrives, '32M');
  await chmod(arrives, 0o666);
  const xml = here.file(`${name}-there.xml`);
  let old: string;
  let pit: string;
  {
    await using vm = await open(here);
    old = String((await vm.enable()).pit);
    await write(here, 1);
    const session = await vm.begin();
    pit = session.pit;
    await session.commit();
  }
  await write(here, 2);
  await writeFile(xml, (await here.virsh('dumpxml', '--migratable', name)).replaceAll(image, arrives));
  await here.virsh(
    ...['migrate', name, there.uri, '--live', '--persistent', '--undefinesource', '--copy-storage-all'],
    ...['--migrateuri', 'tcp://127.0.0.1', '--xml', xml, '--persistent-xml', xml],
  );
  await write(there, 3);
  await using vm = await open(there);
  expect(await changed(vm, pit)).toEqual([2, 3]);
  expect(await refusalOf(changed(vm, old))).toMatchObject({ reason: 'UNKNOWN_PIT', recovery: 'full' });
  const session = await vm.begin();
  expect(session.disks).toMatchObject([{ verdict: 'incremental', base: pit }]);
  await session.commit();
});
