/** Backups of a VM that is off: the same calls over its images, and the next backup asks changes since, off or on. */
import { copyFile, readFile, rename } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import {
  beginBackup,
  bitsOf,
  codeOf,
  handleOf,
  KIB64,
  mapOf,
  path,
  prl,
  ref,
  textOf,
  useLibrary,
} from './support.js';

useLibrary();

async function vmOf(qmp: string, nbdSocket?: string): Promise<number> {
  prl.configureLocalServer([
    {
      name: 'web',
      qmpSocket: qmp,
      images: { d: path('d.qcow2') },
      disks: ['d'],
      ...(nbdSocket && { nbdSocket }),
    },
  ]);
  const server = ref<number>();
  prl.PrlSrv_Create(server);
  expect(await codeOf(prl.PrlSrv_LoginLocal(Number(server.value), '', 0, 0))).toBe(prl.PRL_ERR_SUCCESS);
  return handleOf(prl.PrlSrv_GetVmConfig(Number(server.value), 'web'));
}
async function offVm(): Promise<number> {
  await qemuImg('create', '-q', '-f', 'qcow2', path('d.qcow2'), String(64 * KIB64));
  return vmOf(path('gone.qmp'));
}
const write = (command: string) => qemuIo(['-f', 'qcow2', path('d.qcow2')], command);
async function diskOf(backup: number): Promise<number> {
  const disk = ref<number>();
  expect(await prl.PrlVmBackup_GetDisk(backup, 0, disk)).toBe(prl.PRL_ERR_SUCCESS);
  return Number(disk.value);
}
const pitOf = (backup: number) => textOf((to, length) => prl.PrlVmBackup_GetUuid(backup, to, length));

test('it is read at its instant, committed, and incremental from there, off and on', async () => {
  const vm = await offVm();
  await write(`write -P 7 ${KIB64} 64k`);
  // There is no guest to be frozen: its file systems are quiet.
  const first = await beginBackup(vm, prl.PBMBF_CREATE_MAP | prl.PBMBF_FSSYNC);
  const pit = await pitOf(first);
  expect(pit).toMatch(/^\{[0-9a-f-]{36}\}$/);
  const disk = await diskOf(first);
  expect(bitsOf(await mapOf(disk, null))).toEqual([1]);
  const buffer = Buffer.alloc(KIB64);
  expect(await prl.PrlDisk_Read(disk, buffer, KIB64, KIB64 / 512)).toBe(prl.PRL_ERR_SUCCESS);
  expect(buffer.every((byte) => byte === 7)).toBe(true);
  // While it is open nobody writes.
  await expect(write('write 0 512')).rejects.toThrow();
  expect(await codeOf(prl.PrlVmBackup_Commit(first))).toBe(prl.PRL_ERR_SUCCESS);
  await write(`write ${5 * KIB64} 512`);
  const second = await beginBackup(vm);
  expect(bitsOf(await mapOf(await diskOf(second), pit))).toEqual([5]);
  expect(await codeOf(prl.PrlVmBackup_Rollback(second))).toBe(prl.PRL_ERR_SUCCESS);

  await using daemon = await StorageDaemon.start({ disks: [{ node: 'd', file: path('d.qcow2') }] });
  await daemon.exportWritable('d');
  await daemon.guestIo('d', `write ${9 * KIB64} 512`);
  const third = await beginBackup(await vmOf(daemon.process.qmpPath, daemon.nbdPath));
  expect(bitsOf(await mapOf(await diskOf(third), pit))).toEqual([5, 9]);
  expect(await codeOf(prl.PrlVmBackup_Commit(third))).toBe(prl.PRL_ERR_SUCCESS);
});

test('what was written while nothing held it is not the instant: the disk does not open, and no change is missing afterwards', async () => {
  const vm = await offVm();
  const first = await beginBackup(vm);
  const pit = await pitOf(first);
  expect(await codeOf(prl.PrlVmBackup_Commit(first))).toBe(prl.PRL_ERR_SUCCESS);
  await write(`write ${2 * KIB64} 512`);
  const backup = await beginBackup(vm);
  await write(`write ${3 * KIB64} 512`);
  const disk = ref<number>();
  expect(await prl.PrlVmBackup_GetDisk(backup, 0, disk)).toBe(prl.PRL_ERR_FAILURE);
  expect(await codeOf(prl.PrlVmBackup_Rollback(backup))).toBe(prl.PRL_ERR_SUCCESS);
  const next = await beginBackup(vm);
  expect(bitsOf(await mapOf(await diskOf(next), pit))).toEqual([2, 3]);
  expect(await codeOf(prl.PrlVmBackup_Rollback(next))).toBe(prl.PRL_ERR_SUCCESS);
});

test('a QEMU that has its images and does not answer is no VM that is off', async () => {
  const vm = await offVm();
  await using _ = await StorageDaemon.start({ disks: [{ node: 'd', file: path('d.qcow2') }] });
  expect(await codeOf(prl.PrlVm_BeginBackup(vm, 0))).toBe(prl.PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED);
});

/** What programs written for the SDK do: what changed since their point, or, where nothing can tell, all that holds data. */
async function backUp(
  vm: number,
  since: string | null,
  copy: Buffer,
): Promise<{ pit: string; full: boolean }> {
  const backup = await beginBackup(vm);
  const disk = await diskOf(backup);
  const map = ref<number>();
  const told =
    since === null ? prl.PRL_ERR_NO_DATA : await prl.PrlDisk_GetChangesMap_Local(disk, since, null, map);
  const full = told !== prl.PRL_ERR_SUCCESS;
  if (full) expect(told).toBe(prl.PRL_ERR_NO_DATA);
  if (full) copy.fill(0);
  for (const granule of bitsOf(full ? await mapOf(disk, null) : Number(map.value))) {
    const at = granule * KIB64;
    const bytes = copy.subarray(at, at + KIB64);
    expect(await prl.PrlDisk_Read(disk, bytes, KIB64, at / 512)).toBe(prl.PRL_ERR_SUCCESS);
  }
  const pit = await pitOf(backup);
  expect(await codeOf(prl.PrlVmBackup_Commit(backup))).toBe(prl.PRL_ERR_SUCCESS);
  return { pit, full };
}

async function requireCopyOf(copy: Buffer): Promise<void> {
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', path('d.qcow2'), path('content.raw'));
  expect((await readFile(path('content.raw'))).equals(copy)).toBe(true);
}

/** Another image has the disk's name, with the same bytes or those of before. */
async function replaced(...how: string[]): Promise<void> {
  await qemuImg('convert', '-f', 'qcow2', '-O', 'qcow2', ...how, path('d.qcow2'), path('other.qcow2'));
  await rename(path('other.qcow2'), path('d.qcow2'));
}

/** Its QEMU is killed while it has the image: no bitmap of it is worth anything. */
async function crashed(): Promise<void> {
  await using daemon = await StorageDaemon.start({ disks: [{ node: 'd', file: path('d.qcow2') }] });
  await daemon.process.kill();
}

test.each<{ name: string; reason: string; lose: () => Promise<unknown>; keepsPoints?: false }>([
  {
    name: 'somebody else starts tracking anew',
    reason: 'UNKNOWN_PIT',
    lose: () => new ImageTracking([path('d.qcow2')]).reset(),
  },
  {
    name: 'somebody else ends tracking',
    reason: 'UNKNOWN_PIT',
    lose: () => new ImageTracking([path('d.qcow2')]).disable(),
  },
  { name: 'the image is replaced by a copy without them', reason: 'UNKNOWN_PIT', lose: () => replaced() },
  {
    name: 'the image is put back from a copy of before',
    reason: 'UNKNOWN_PIT',
    lose: () => rename(path('before'), path('d.qcow2')),
  },
  { name: 'its QEMU crashes', reason: 'UNKNOWN_PIT', lose: crashed },
  {
    name: 'the image is replaced by one that can hold none',
    reason: 'FORMAT',
    lose: () => replaced('-o', 'compat=0.10'),
    keepsPoints: false,
  },
])(
  'where $name the next backup is full, and those after it go on',
  async ({ reason, lose, keepsPoints = true }) => {
    const vm = await offVm();
    const copy = Buffer.alloc(64 * KIB64);
    await write(`write -P 7 ${KIB64} 128k`);
    const first = await backUp(vm, null, copy);
    let { pit } = first;
    expect(first.full).toBe(true);
    await requireCopyOf(copy);
    await copyFile(path('d.qcow2'), path('before'));
    for (const granule of [2, 9]) {
      await write(`write -P ${granule} ${granule * KIB64} 4096`);
      const next = await backUp(vm, pit, copy);
      expect(next.full).toBe(false);
      await requireCopyOf(copy);
      pit = next.pit;
    }
    await write(`write -P 11 ${11 * KIB64} 512`);
    await lose();
    await write(`write -P 12 ${12 * KIB64} 512`);
    const again = await backUp(vm, pit, copy);
    expect(again.full).toBe(true);
    expect(
      await textOf((to, length) => prl.PrlApi_GetResultDescription(prl.PRL_ERR_NO_DATA, 0, 0, to, length)),
    ).toContain(`[${reason}]`);
    await requireCopyOf(copy);
    await write(`write -P 13 ${13 * KIB64} 512`);
    expect((await backUp(vm, again.pit, copy)).full).toBe(!keepsPoints);
    await requireCopyOf(copy);
  },
);
