import { rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findDisk, listDisks, type VmDisk } from '../../../../../lib/backend/qemu/graph/vmDisks.js';
import { qmp } from '../../../../../lib/backend/qemu/qmp/commands.js';
import type { QmpClient } from '../../../../../lib/backend/qemu/qmp/qmpClient.js';
import { runTransaction } from '../../../../../lib/backend/qemu/qmp/transaction.js';
import { makeFolder, type QemuProcess, qemuImg } from '../../../../helpers/qemuProcess.js';
import { guestIo, startQemuSystem } from '../../../../helpers/qemuSystem.js';

const MIB = 1024 * 1024;

let folder: string;
let vm: QemuProcess;
let client: QmpClient;

const file = (name: string): string => path.join(folder, name);
const create = (name: string, size: string, ...more: string[]) =>
  qemuImg(['create', '-q', '-f', 'qcow2', ...more, file(name), size]);
const node = (options: object): string[] => ['-blockdev', JSON.stringify(options)];
const qcow2 = (name: string, image = name, more: object = {}): string[] =>
  node({
    driver: 'qcow2',
    'node-name': name,
    file: { driver: 'file', filename: file(`${image}.qcow2`) },
    ...more,
  });
const byId = async (): Promise<Record<string, VmDisk>> =>
  Object.fromEntries((await listDisks(client)).map((disk) => [disk.id, disk]));

beforeAll(async () => {
  folder = await makeFolder();
  await create('base.qcow2', '16M');
  await qemuImg(['bitmap', '--add', file('base.qcow2'), 'below']);
  await create('top.qcow2', '16M', '-b', file('base.qcow2'), '-F', 'qcow2');
  for (const name of ['drive', 'ide', 'vdrive', 'nvme', 'ro', 'unused', 'usb', 'wrapped', 'shared', 'deep']) {
    await create(`${name}.qcow2`, '16M');
  }
  await create('old.qcow2', '16M', '-o', 'compat=0.10');
  await create('ext.qcow2', '12M', '-o', `data_file=${file('ext.raw')},data_file_raw=on`);
  await qemuImg(['create', '-q', '-f', 'raw', file('raw.img'), '8M']);
  await qemuImg(['create', '-q', '-f', 'raw', file('plain.img'), '8M']);
  await qemuImg(['create', '-q', '-f', 'raw', file('flash.img'), '4M']);
  vm = await startQemuSystem([
    ...['-device', 'virtio-scsi-pci,id=scsi0', '-device', 'qemu-xhci,id=usb0'],
    ...['-object', 'throttle-group,id=tg,x-iops-total=1000'],
    // virtio-blk by -blockdev over a backing chain
    ...[...qcow2('top'), '-device', 'virtio-blk-pci,drive=top,id=vd0'],
    // -drive with throttling; the device has no id
    ...['-drive', `file=${file('drive.qcow2')},if=none,id=drv1,format=qcow2,throttling.bps-total=1000000`],
    ...['-device', 'scsi-hd,drive=drv1,bus=scsi0.0'],
    ...['-drive', `file=${file('ide.qcow2')},if=ide,index=0,format=qcow2,copy-on-read=on`],
    ...['-drive', `file=${file('vdrive.qcow2')},if=virtio,format=qcow2`],
    // filters above the format node
    ...[
      ...qcow2('nvme-fmt', 'nvme'),
      ...node({ driver: 'throttle', 'node-name': 'nvme-thr', 'throttle-group': 'tg', file: 'nvme-fmt' }),
    ],
    ...[
      ...node({ driver: 'copy-on-read', 'node-name': 'nvme-cor', file: 'nvme-thr' }),
      '-device',
      'nvme,drive=nvme-cor,serial=x,id=nv0',
    ],
    // raw image; the device has no id
    ...node({ driver: 'raw', 'node-name': 'rawn', file: { driver: 'file', filename: file('raw.img') } }),
    ...['-device', 'scsi-hd,drive=rawn,bus=scsi0.0'],
    // qcow2 with external data file
    ...[...qcow2('extn', 'ext'), '-device', 'ide-hd,drive=extn,id=ide1,bus=ide.1,unit=0'],
    // drives without a disk
    ...['-device', 'ide-cd,id=cd0,bus=ide.1,unit=1'],
    ...[...qcow2('iso', 'ro', { 'read-only': true }), '-device', 'scsi-cd,drive=iso,bus=scsi0.0,id=cd1'],
    ...['-drive', `if=none,id=unplugged,file=${file('unused.qcow2')},format=qcow2`],
    ...['-drive', `if=pflash,unit=0,format=raw,file=${file('flash.img')}`],
    // version 2 keeps no bitmaps
    ...[...qcow2('oldn', 'old'), '-device', 'virtio-blk-pci,drive=oldn,id=vold'],
    ...[...qcow2('usbn', 'usb'), '-device', 'usb-storage,drive=usbn,id=stick,bus=usb0.0'],
    // a raw wrapper over a format, as left for swapping filters
    ...[...qcow2('wrapped'), ...node({ driver: 'raw', 'node-name': 'wrapper', file: 'wrapped' })],
    ...['-device', 'virtio-blk-pci,drive=wrapper,id=vw'],
    // no format node at all, read-only
    ...node({ driver: 'file', 'node-name': 'plain', filename: file('plain.img') }),
    ...['-device', 'virtio-blk-pci,drive=plain,id=vplain'],
    // one node, two devices
    ...[...qcow2('shared'), '-device', 'virtio-blk-pci,drive=shared,id=s1,share-rw=on'],
    ...['-device', 'virtio-blk-pci,drive=shared,id=s2,share-rw=on'],
    // filters of every kind, above and below the format node
    ...node({
      driver: 'blkdebug',
      'node-name': 'f-debug',
      image: {
        driver: 'compress',
        'node-name': 'f-compress',
        file: {
          driver: 'throttle',
          'node-name': 'f-throttle',
          'throttle-group': 'tg',
          file: {
            driver: 'qcow2',
            'node-name': 'deep',
            file: {
              driver: 'preallocate',
              'node-name': 'deep-pre',
              file: { driver: 'file', 'node-name': 'deep-file', filename: file('deep.qcow2') },
            },
          },
        },
      },
    }),
    ...['-device', 'virtio-blk-pci,drive=f-debug,id=vdeep'],
  ]);
  client = await vm.connect();
});

afterAll(async () => {
  await client?.close();
  await vm?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('disks of a VM', () => {
  it('are found behind every kind of device, with the node that holds the image', async () => {
    const disks = await byId();
    const shown = Object.fromEntries(
      Object.entries(disks).map(([id, disk]) => [
        id,
        disk.trackable
          ? `${disk.deviceType} ${disk.format} ${disk.persistentCapable} ${disk.sizeBytes / MIB}`
          : disk.why,
      ]),
    );
    expect(shown).toEqual({
      vd0: 'virtio-blk-device qcow2 true 16',
      drv1: 'scsi-hd qcow2 true 16',
      'ide0-hd0': 'ide-hd qcow2 true 16',
      virtio0: 'virtio-blk-device qcow2 true 16',
      nv0: 'nvme qcow2 true 16',
      rawn: 'scsi-hd raw false 8',
      ide1: 'ide-hd qcow2 true 12',
      cd0: 'no medium is inserted',
      cd1: 'it is a CD-ROM drive',
      unplugged: 'no guest device uses this drive',
      pflash0: 'it is firmware flash, not a disk',
      vold: 'virtio-blk-device qcow2 false 16',
      stick: 'scsi-hd qcow2 true 16',
      vw: 'virtio-blk-device qcow2 true 16',
      vplain: 'virtio-blk-device file false 8',
      s1: 'virtio-blk-device qcow2 true 16',
      s2: 'it shares node shared with /machine/peripheral/s1/virtio-backend',
      vdeep: 'virtio-blk-device qcow2 true 16',
    });
  });

  it('name the filters above the format node, and the files below it', async () => {
    const disks = await byId();
    expect(disks['nv0']).toMatchObject({ formatNode: 'nvme-fmt', filtersAbove: ['nvme-cor', 'nvme-thr'] });
    expect(disks['vw']).toMatchObject({ formatNode: 'wrapped', filtersAbove: ['wrapper'] });
    expect(disks['vdeep']).toMatchObject({
      formatNode: 'deep',
      filtersAbove: ['f-debug', 'f-compress', 'f-throttle'],
      files: expect.arrayContaining([file('deep.qcow2')]),
    });
    expect(disks['rawn']).toMatchObject({ formatNode: 'rawn', filtersAbove: [], filename: file('raw.img') });
    expect(disks['vplain']).toMatchObject({ formatNode: 'plain', format: 'file' });
    expect(disks['ide1']?.files).toEqual([file('ext.qcow2'), file('ext.raw')]);
    expect(disks['drv1']?.formatNode).toMatch(/^#block/);
  });

  it('list the layers of the backing chain with their bitmaps, top first', async () => {
    await runTransaction(client, [
      { kind: 'add', node: 'top', name: 'upper', persistent: true, granularityBytes: 4096 },
      { kind: 'add', node: 'top', name: 'frozen', disabled: true },
    ]);
    const { vd0 } = await byId();
    expect(vd0?.layers).toEqual([
      {
        label: 'top',
        node: 'top',
        filename: file('top.qcow2'),
        format: 'qcow2',
        sizeBytes: 16 * MIB,
        readOnly: false,
        bitmaps: expect.arrayContaining([
          {
            name: 'upper',
            granularityBytes: 4096,
            recording: true,
            inconsistent: false,
            persistent: true,
            busy: false,
            dirtyBytes: 0,
          },
          {
            name: 'frozen',
            granularityBytes: 65536,
            recording: false,
            inconsistent: false,
            persistent: false,
            busy: false,
            dirtyBytes: 0,
          },
        ]),
      },
      expect.objectContaining({
        filename: file('base.qcow2'),
        readOnly: true,
        bitmaps: [expect.objectContaining({ name: 'below', persistent: true })],
      }),
    ]);
    expect(vd0?.layers?.[0]?.bitmaps).toHaveLength(2);
    await runTransaction(client, [
      { kind: 'remove', node: 'top', name: 'upper' },
      { kind: 'remove', node: 'top', name: 'frozen' },
    ]);
  });

  it('point at the node where a bitmap sees what the guest writes, whatever lies above', async () => {
    const disks = (await listDisks(client)).filter((disk) => disk.trackable);
    expect(disks.length).toBe(13);
    await runTransaction(
      client,
      disks.map((disk) => ({
        kind: 'add',
        node: disk.formatNode,
        name: 'seen',
        persistent: disk.persistentCapable,
      })),
    );
    for (const disk of disks) await guestIo(vm, disk.qdevPath ?? '', 'write -P 9 1M 64k');
    const nodes = await qmp(client, 'query-named-block-nodes', { flat: true });
    for (const disk of disks) {
      const info = nodes.find((n) => n['node-name'] === disk.formatNode);
      const count = info?.['dirty-bitmaps']?.find((bitmap) => bitmap.name === 'seen')?.count;
      expect(count, disk.id).toBe(65536);
    }
    await runTransaction(
      client,
      disks.map((disk) => ({ kind: 'remove', node: disk.formatNode, name: 'seen' })),
    );
  });

  it('are found by block backend, device, QOM path or its end, node, and file', async () => {
    const disks = await listDisks(client);
    const id = async (name: string) => (await findDisk(disks, name)).id;
    for (const disk of disks) expect(await id(disk.id)).toBe(disk.id);
    const { vd0, drv1 } = await byId();
    expect(await id('/machine/peripheral/vd0/virtio-backend')).toBe('vd0');
    expect(await id('/machine/peripheral/vd0')).toBe('vd0');
    expect(await id('/machine/peripheral/nv0')).toBe('nv0');
    expect(await id('top')).toBe('vd0');
    expect(await id('nvme-cor')).toBe('nv0');
    expect(await id('nvme-thr')).toBe('nv0');
    expect(await id('nvme-fmt')).toBe('nv0');
    expect(await id(drv1?.formatNode ?? '')).toBe('drv1');
    expect(await id(drv1?.qdevPath ?? '')).toBe('drv1');
    expect(await id((drv1?.qdevPath ?? '').replace(/.*\//, ''))).toBe('drv1');
    expect(await id(vd0?.filename ?? '')).toBe('vd0');
    expect(await id(file('ext.raw'))).toBe('ide1');
    expect(await id(file('deep.qcow2'))).toBe('vdeep');
    expect(await id('shared')).toBe('s1');
    await symlink(file('raw.img'), file('link.img'));
    expect(await id(file('link.img'))).toBe('rawn');
    expect(await id(path.relative(process.cwd(), file('usb.qcow2')))).toBe('stick');
  });

  it('say what there is when a name fits nothing', async () => {
    const disks = await listDisks(client);
    await expect(findDisk(disks, 'sda')).rejects.toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
      disk: 'sda',
      message: expect.stringMatching(/no disk "sda"; it has .*vd0 \(.*node top.*cd0 \(.*no medium/),
    });
    await expect(findDisk(disks, '')).rejects.toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
    await expect(findDisk(disks, 'virtio-backend')).rejects.toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
    });
    await expect(findDisk([], 'x')).rejects.toThrow('it has none');
  });

  it('follow a snapshot: the overlay is the new top, the old top a layer', async () => {
    const overlay = file('over.qcow2');
    await create('over.qcow2', '16M');
    await qmp(client, 'block-dirty-bitmap-add', { node: 'oldn', name: 'left' });
    await qmp(client, 'blockdev-add', {
      driver: 'qcow2',
      'node-name': 'over',
      file: { driver: 'file', filename: overlay },
      backing: null,
    });
    await runTransaction(client, [{ type: 'blockdev-snapshot', data: { node: 'oldn', overlay: 'over' } }]);
    const { vold } = await byId();
    expect(vold).toMatchObject({ formatNode: 'over', persistentCapable: true, filename: overlay });
    expect(vold?.layers?.map((layer) => layer.node)).toEqual(['over', 'oldn']);
    expect(vold?.layers?.[1]?.bitmaps).toMatchObject([{ name: 'left' }]);
  });

  it('stay the same below the filter of a running fleecing job, and the scratch is no disk', async () => {
    const before = (await byId())['vdeep'];
    await create('scratch.qcow2', '16M');
    await qmp(client, 'blockdev-add', {
      driver: 'qcow2',
      'node-name': 'cbt-s0',
      file: { driver: 'file', filename: file('scratch.qcow2') },
      backing: 'deep',
    });
    await qmp(client, 'blockdev-backup', {
      device: 'deep',
      target: 'cbt-s0',
      sync: 'none',
      'job-id': 'cbt-j0',
    });
    const during = (await byId())['vdeep'];
    expect(during).toMatchObject({ formatNode: 'deep', trackable: true });
    expect(during?.filtersAbove).toHaveLength((before?.filtersAbove?.length ?? 0) + 1);
    expect(during?.layers).toHaveLength(1);
    expect(during?.layers?.[0]?.bitmaps).toEqual([]);
    expect((await listDisks(client)).map((disk) => disk.formatNode)).not.toContain('cbt-s0');
    const gone = client.waitEvent(
      ({ event, data }) => event === 'BLOCK_JOB_CANCELLED' && data?.['device'] === 'cbt-j0',
    );
    await qmp(client, 'job-cancel', { id: 'cbt-j0' });
    await gone;
    await qmp(client, 'blockdev-del', { 'node-name': 'cbt-s0' });
    expect((await byId())['vdeep']?.filtersAbove).toEqual(before?.filtersAbove);
  });

  it('come and go with hot plug', async () => {
    await create('hot.qcow2', '16M');
    await qmp(client, 'blockdev-add', {
      driver: 'qcow2',
      'node-name': 'hotn',
      file: { driver: 'file', filename: file('hot.qcow2') },
    });
    expect((await byId())['hot']).toBeUndefined();
    await client.execute('device_add', { driver: 'scsi-hd', drive: 'hotn', bus: 'scsi0.0', id: 'hot' });
    expect((await byId())['hot']).toMatchObject({ trackable: true, formatNode: 'hotn' });
    // A medium put into a CD-ROM drive does not make it a disk.
    await qemuImg(['create', '-q', '-f', 'raw', file('cd.iso'), '1M']);
    await client.execute('blockdev-change-medium', { id: 'cd0', filename: file('cd.iso'), format: 'raw' });
    expect((await byId())['cd0']).toMatchObject({ trackable: false, why: 'it is a CD-ROM drive' });
  });
});
