/**
 * What becomes of points in time when libvirt does something to the domain. Whatever it is, an answer never has less than what the guest
 * wrote: each test writes, has libvirt do it, writes again, and compares with what was written.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CbtError, type ChangeMap, openExportMap, openVm, type Vm } from '../../../../lib/index.js';
import { startCommand } from '../../../helpers/builtCommand.js';
import { cli } from '../../../helpers/cli.js';
import { eventually } from '../../../helpers/eventually.js';
import { LibvirtDaemon } from '../../../helpers/libvirtDaemon.js';
import { qemuImg } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';

const GRANULE = 65_536;
let daemon: LibvirtDaemon;
let serial = 0;
let name: string;
let image: string;
let vm: Vm;
let pit: string;
/** Granules that the guest wrote since the point in time. */
let written: Set<number>;

beforeAll(async () => {
  daemon = await LibvirtDaemon.start();
  await mkdir(daemon.file('images'));
  await chmod(daemon.file('images'), 0o777);
});
afterAll(() => daemon?.[Symbol.asyncDispose]());

beforeEach(async () => {
  name = `web${++serial}`;
  image = daemon.file(`images/${name}.qcow2`);
  await qemuImg('create', '-q', '-f', 'qcow2', image, '32M');
  await daemon.define(name, [{ target: 'vda', file: image }]);
  await daemon.virsh('start', name);
  await using opened = await open();
  pit = String((await opened.enable()).pit);
  written = new Set();
  await write(1);
});

const open = (): Promise<Vm> => openVm({ address: daemon.address(name) });

/** A granule, as the guest would. */
async function write(granule: number): Promise<void> {
  await daemon.guestIo(name, 'virtio-disk0', `write -P 7 ${granule * GRANULE} 4k`);
  written.add(granule);
}

/** What the guest writes from here on lies above its image, by libvirt's own snapshot. */
async function takeOverlay(): Promise<string> {
  const overlay = daemon.file(`images/${name}-overlay.qcow2`);
  const spec = ['--diskspec', `vda,file=${overlay}`];
  await daemon.virsh('snapshot-create-as', name, 's', '--disk-only', '--no-metadata', ...spec);
  return overlay;
}

async function checkpointXml(called: string): Promise<string> {
  const file = daemon.file(`${name}-checkpoint.xml`);
  await writeFile(file, `<domaincheckpoint><name>${called}</name></domaincheckpoint>`);
  return file;
}

async function granulesOf(map: ChangeMap): Promise<Set<number>> {
  const found = new Set<number>();
  for await (const { offset, length } of map)
    for (let at = offset; at < offset + length; at += GRANULE) found.add(at / GRANULE);
  return found;
}

/** What changed since, in granules; a coded word that only a full backup will do is an answer too. */
async function answer(from = pit): Promise<Set<number> | string> {
  await using opened = await open();
  try {
    await using disk = await opened.openDisk('vda');
    return await granulesOf(await disk.changes({ from }));
  } catch (error) {
    if (error instanceof CbtError && error.recovery === 'full') return error.reason ?? error.code;
    throw error;
  }
}

/** The exact answer. */
const expectExact = async (): Promise<void> => expect(await answer()).toEqual(written);
/** The next backup: from what, and why. */
async function verdict(): Promise<{ verdict?: string; reason?: string }> {
  await using opened = await open();
  const session = await opened.begin();
  await session.commit();
  const { verdict: how, reason } = session.disks[0]!;
  return { ...(how && { verdict: how }), ...(reason && { reason }) };
}

describe('a domain that', () => {
  test('is saved to a file and restored answers as before', async () => {
    const file = daemon.file(`${name}.save`);
    await daemon.virsh('save', name, file);
    await daemon.virsh('restore', file);
    await write(3);
    await expectExact();
    expect(await verdict()).toEqual({ verdict: 'incremental' });
  });

  test('is stopped and started answers as before, in between as well', async () => {
    await daemon.virsh('destroy', name, '--graceful');
    await expectExact();
    await daemon.virsh('start', name);
    await write(4);
    await expectExact();
  });

  test('is killed has lost its history, and the next backup is full', async () => {
    // Stored once: of bitmaps that never were nothing is left at all.
    await daemon.virsh('destroy', name, '--graceful');
    await daemon.virsh('start', name);
    process.kill(await daemon.pidOf(name), 'SIGKILL');
    await eventually(async () => expect(await daemon.virsh('domstate', name)).toMatch(/shut off|crashed/));
    await daemon.virsh('start', name);
    expect(await answer()).toBe('CRASHED');
    expect(await verdict()).toMatchObject({ verdict: 'full', reason: 'CRASHED' });
  });

  test('has its storage moved is safe', async () => {
    const copy = daemon.file(`images/${name}-copy.qcow2`);
    await daemon.virsh(
      'blockcopy',
      name,
      'vda',
      '--dest',
      copy,
      '--format',
      'qcow2',
      '--wait',
      '--pivot',
      '--transient-job',
    );
    await write(8);
    await expectExact();
    expect(await verdict()).toEqual({ verdict: 'incremental' });
    await write(9);
    await expectExact();
  });

  test('is reverted to an internal snapshot ends, and has lost its history', async () => {
    await daemon.virsh('snapshot-create-as', name, 'before');
    await write(5);
    await daemon.virsh('snapshot-create-as', name, 'later');
    {
      await using vm = await open();
      await vm.disable();
      const { warnings } = await vm.enable();
      expect(warnings).toEqual([expect.stringContaining('internal snapshots (before, later)')]);
    }
    // QEMU refuses to load it while there is a bitmap, whosever it is, and libvirt ends that QEMU.
    await daemon.virsh('snapshot-revert', name, 'before').catch(() => undefined);
    await eventually(async () => expect(await daemon.virsh('domstate', name)).toMatch(/shut off|crashed/));
    await daemon.virsh('start', name);
    expect(await answer()).toMatch(/^(CRASHED|UNKNOWN_PIT)$/);
    expect(await verdict()).toMatchObject({ verdict: 'full' });
  });

  test('grows has its growth as changed', async () => {
    await daemon.virsh('blockresize', name, 'vda', '40M');
    await write(600);
    const found = (await answer()) as Set<number>;
    for (let granule = 512; granule < 640; granule += 1) written.add(granule);
    expect(found).toEqual(written);
  });

  test('is undefined and defined again has its points, which are in the image', async () => {
    await daemon.virsh('undefine', name);
    await daemon.virsh('destroy', name, '--graceful');
    await daemon.define(name, [{ target: 'vda', file: image }]);
    await expectExact();
  });
});

describe('in a session', () => {
  beforeEach(async () => {
    vm = await open();
  });

  test('libvirt saves, migrates and snapshots nothing; afterwards it does', async () => {
    const session = await vm.begin();
    await expect(daemon.virsh('save', name, daemon.file(`${name}.save`))).rejects.toThrow();
    await expect(takeOverlay()).rejects.toThrow();
    await session.check();
    await write(10);
    await session.commit();
    await vm.close();
    await expectExact();
    await takeOverlay();
    await write(11);
    await expectExact();
    expect(await verdict()).toEqual({ verdict: 'incremental' });
  });

  test('a disk is plugged in; the others and their points go on, and it is tracked like them', async () => {
    const data = daemon.file(`images/${name}-data.qcow2`);
    await qemuImg('create', '-q', '-f', 'qcow2', data, '8M');
    const session = await vm.begin();
    const disk = `<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${data}'/><target dev='vdb' bus='virtio'/></disk>`;
    const xml = daemon.file(`${name}-disk.xml`);
    await writeFile(xml, disk);
    await daemon.virsh('attach-device', name, xml, '--live');
    expect((await vm.disks()).map((one) => one.disk)).toEqual(['vda', 'vdb']);
    await session.check();
    await session.commit();
    expect((await vm.enable({ disks: ['vdb'] })).disks).toMatchObject([{ disk: 'vdb' }]);
    await vm.close();
    await expectExact();
  });

  test('the guest’s power goes: the session says so, and its point is taken back', async () => {
    const session = await vm.begin();
    await daemon.virsh('destroy', name, '--graceful');
    expect(await refusalOf(session.commit())).toMatchObject({
      code: expect.stringMatching(/LOST|UNAVAILABLE/),
    });
    await vm.close();
    await daemon.virsh('start', name);
    await eventually(async () => expect(await verdict()).toEqual({ verdict: 'incremental' }));
    await write(11);
    await expectExact();
  });

  test('our process is killed hard: its guard finds the way back through libvirt, and rolls back', async () => {
    await vm.close();

    for (let granule = 100; granule < 300; granule += 1) written.add(granule);
    await daemon.guestIo(name, 'virtio-disk0', `write -P 8 ${100 * GRANULE} ${200 * GRANULE}`);
    const to = daemon.file(`killed-${name}`);
    const { child, done } = await startCommand([
      ...['backup', '--vm', daemon.address(name), '--to', to, '--rate', '1M'],
    ]);
    const parts = async (): Promise<string[]> =>
      ((await daemon.qmp(name, 'query-block-exports')) as { id: string }[]).map(({ id }) => id);
    await eventually(async () => expect(await parts()).toHaveLength(1));
    child.kill('SIGKILL');
    await done;
    await eventually(async () => {
      expect(await parts()).toEqual([]);
      expect(await daemon.qmp(name, 'query-jobs')).toEqual([]);
    });
    await eventually(async () => expect(await verdict()).toEqual({ verdict: 'incremental' }));
    await expectExact();
  });

  test('libvirt’s other work on the disk is refused, or harms nothing', async () => {
    const over = await takeOverlay();
    await write(2);
    const session = await vm.begin();
    await write(3);
    const checkpoint = await checkpointXml('theirs');
    const wait = ['--wait', '--pivot', '--timeout', '60'];
    const copy = ['--dest', daemon.file(`images/${name}-copy.qcow2`), '--format', 'qcow2', '--transient-job'];
    for (const [how, ...work] of [
      ['done', 'checkpoint-create', name, checkpoint],
      ['done', 'checkpoint-delete', name, 'theirs'],
      ['done', 'blockpull', name, 'vda', '--wait', '--timeout', '60'],
      ['refused', 'blockresize', name, 'vda', '40M'],
      ['refused', 'blockcommit', name, 'vda', '--active', ...wait],
      ['refused', 'blockcopy', name, 'vda', ...copy, ...wait],
      ['refused', 'snapshot-create-as', name, 'internal'],
      ['refused', 'domrename', name, `${name}-new`],
    ] as const) {
      const came = await daemon.virsh(...work).then(
        () => 'done',
        () => 'refused',
      );
      expect([work[0], came]).toEqual([work[0], how]);
      await session.check();
    }
    await using data = await session.openData('vda');
    expect([(await data.read(2 * GRANULE, 1))[0], (await data.read(3 * GRANULE, 1))[0]]).toEqual([7, 0]);
    await data.close();
    await session.commit();
    await expectExact();
    expect(await answer(session.pit)).toEqual(new Set([3]));
    expect(await daemon.virsh('domblklist', name)).toContain(over);
    await vm.close();
  });

  test('checkpoints and incremental backups of libvirt’s beside ours: each has its own, and both are right', async () => {
    await (await vm.begin()).commit();
    const socket = daemon.file(`images/${name}.nbd`);
    const job = async (incremental: string, ...checkpoint: string[]): Promise<void> => {
      const xml = daemon.file(`${name}-job.xml`);
      await writeFile(
        xml,
        `<domainbackup mode='pull'>${incremental}<server transport='unix' socket='${socket}'/></domainbackup>`,
      );
      await daemon.virsh('backup-begin', name, xml, ...checkpoint);
    };
    await job('', await checkpointXml('theirs'));
    await daemon.virsh('domjobabort', name);
    await write(12);
    const session = await vm.begin({ base: 'checkpoint:theirs' });
    await write(13);
    expect(session.disks).toMatchObject([{ verdict: 'incremental', base: 'theirs' }]);
    await using disk = await session.openDisk('vda');
    // It records on: more than what changed up to the instant, and never less.
    expect(await granulesOf(await disk.changes({ from: 'theirs' }))).toEqual(new Set([12, 13]));
    await disk.close();
    await session.commit();

    await job('<incremental>theirs</incremental>');
    const theirs = await openExportMap({ kind: 'unix', path: socket, exportName: 'vda' }, 'backup-vda');
    expect(await granulesOf(theirs.map)).toEqual(new Set([12, 13]));
    await theirs.close();
    await daemon.virsh('domjobabort', name);
    await using tracked = await vm.openDisk('vda');
    expect((await tracked.pits()).foreign.map((one) => one.name)).toEqual(['theirs']);
    expect(await answer('theirs')).toEqual(new Set([12, 13]));
    expect(await answer(session.pit)).toEqual(new Set([13]));
    await daemon.virsh('checkpoint-create', name, await checkpointXml('later'));
    const { stdout } = await cli('pits', `${daemon.address(name)}#vda`, '--json');
    expect(JSON.parse(stdout).foreign).toMatchObject([
      { name: 'later', checkpoint: { takenAt: expect.stringMatching(/^20\d\d-/), parent: 'theirs' } },
      { name: 'theirs', checkpoint: { takenAt: expect.stringMatching(/^20\d\d-/), parent: null } },
    ]);
    expect((await cli('pits', `${daemon.address(name)}#vda`)).stdout).toMatch(
      /"later".*checkpoint of .*, after "theirs"/,
    );
    const { node } = (await vm.disks())[0]!;
    await daemon.qmp(name, 'block-dirty-bitmap-remove', { node, name: 'theirs' });
    expect((await cli('doctor', daemon.address(name))).stdout).toContain('gone or broken (theirs)');
    for (const one of ['later', 'theirs']) await daemon.virsh('checkpoint-delete', name, one, '--metadata');
    await expectExact();
    await vm.close();
  });
});

describe('a second monitor', () => {
  const second = () => daemon.file(`images/${name}.qmp`);
  /** What refuses overlay mode there, in a program and by the command. */
  async function expectRefused(): Promise<void> {
    await using through = await openVm({ address: second() });
    expect(await refusalOf(through.begin({ mode: 'overlay' }))).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      message: expect.stringContaining('libvirt does not know of the overlay'),
    });
    const { code, stderr } = await cli('begin', '--vm', second(), '--mode', 'overlay');
    expect([code, stderr]).toEqual([4, expect.stringContaining('libvirt does not know of the overlay')]);
  }

  beforeEach(async () => {
    await daemon.virsh('destroy', name, '--graceful');
    await daemon.virsh('undefine', name);
  });

  test('is the same VM: overlay mode is refused there too, and a session that began here ends there', async () => {
    await daemon.define(name, [{ target: 'vda', file: image }], second());
    await daemon.virsh('start', name);
    await expectRefused();
    await using through = await openVm({ address: second() });
    await using first = await open();
    expect(through.key).toBe(first.key);
    const session = await first.begin({ detached: true });
    expect(await refusalOf(through.begin())).toMatchObject({ reason: 'BUSY' });
    await (await through.resume(session.pit)).commit();
    await through.close();
    await write(13);
    await expectExact();
  });

  test('refuses overlay mode also where libvirt was given the disk as arguments of QEMU', async () => {
    // libvirt makes only disks that it knows of its QEMU's.
    await chmod(image, 0o666);
    const disk = ['-drive', `file=${image},format=qcow2,if=none,id=own`, '-device'];
    await daemon.define(name, [], second(), [...disk, 'virtio-blk,drive=own,id=own,addr=0x10']);
    await daemon.virsh('start', name);
    await expectRefused();
  });
});
