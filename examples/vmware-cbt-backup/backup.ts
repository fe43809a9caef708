/**
 * A backup as programs for vSphere do it: switch tracking on, take a snapshot, ask what changed, read each area through VixDiskLib,
 * remove the snapshot, keep the changeIds for the next time. The first run is full, every later one incremental, into plain files.
 *
 *   node backup.js <vms.json> <vm> <folder>      one run: <folder>/<disk key>.raw and changeids.json
 *
 * vms.json: { "vms": [{ "name": "web", "qmpSocket": "/run/vms/web.qmp" }], "stateFolder": "/var/lib/qemu-cbt" }
 */
import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  configureVixDiskLib,
  ref,
  VIX_FAILED,
  VIXDISKLIB_FLAG_OPEN_READ_ONLY,
  VIXDISKLIB_SECTOR_SIZE,
  VixDiskLib_Close,
  VixDiskLib_ConnectEx,
  VixDiskLib_Disconnect,
  VixDiskLib_Exit,
  VixDiskLib_GetErrorText,
  VixDiskLib_InitEx,
  VixDiskLib_Open,
  VixDiskLib_Read,
  type VixDiskLibConnection,
  type VixDiskLibHandle,
} from 'qemu-cbt/vixdisklib';
import { connect, FileFault, VirtualDisk, type VirtualMachine } from 'qemu-cbt/vsphere';

/** Read at a time; any size is fine here. */
const CHUNK_BYTES = 1 << 20;

function check(error: number, what: string): void {
  if (VIX_FAILED(error)) throw new Error(`${what}: ${VixDiskLib_GetErrorText(error, null)}`);
}

/** All areas since the changeId; null where only a full backup can go on. */
async function changedAreas(
  vm: VirtualMachine,
  snapshot: { type: string; value: string },
  disk: VirtualDisk,
  changeId: string,
): Promise<[number, number][] | null> {
  const areas: [number, number][] = [];
  try {
    for (let offset = 0; offset < disk.capacityInBytes; ) {
      const info = await vm.QueryChangedDiskAreas(snapshot, disk.key, offset, changeId);
      for (const { start, length } of info.changedArea) areas.push([start, length]);
      offset = info.startOffset + info.length;
    }
    return areas;
  } catch (fault) {
    if (!(fault instanceof FileFault) || changeId === '*') throw fault;
    console.error(`disk ${disk.key}: full backup, because ${fault.faultMessage[0]?.message}`);
    return null;
  }
}

/** Copies the areas of a disk into its file. */
async function copyAreas(
  connection: VixDiskLibConnection,
  disk: VirtualDisk,
  areas: readonly [number, number][],
  path: string,
): Promise<void> {
  const handle = ref<VixDiskLibHandle>();
  check(
    await VixDiskLib_Open(connection, disk.backing.fileName, VIXDISKLIB_FLAG_OPEN_READ_ONLY, handle),
    'VixDiskLib_Open',
  );
  const file = await open(path, 'a').then(async (made) => {
    await made.close();
    return open(path, 'r+');
  });
  try {
    await file.truncate(disk.capacityInBytes);
    const buffer = Buffer.alloc(CHUNK_BYTES);
    for (const [start, length] of areas) {
      for (let at = start; at < start + length; at += CHUNK_BYTES) {
        const bytes = Math.min(CHUNK_BYTES, start + length - at);
        const sectors = bytes / VIXDISKLIB_SECTOR_SIZE;
        check(
          await VixDiskLib_Read(handle.value ?? null, at / VIXDISKLIB_SECTOR_SIZE, sectors, buffer),
          'VixDiskLib_Read',
        );
        await file.write(buffer, 0, bytes, at);
      }
    }
    await file.sync();
  } finally {
    await file.close();
    check(await VixDiskLib_Close(handle.value ?? null), 'VixDiskLib_Close');
  }
}

/** One run; the changeIds of the run before decide, disk by disk, whether it is incremental. */
export async function backup(configuration: string, vmName: string, folder: string): Promise<void> {
  const service = connect(JSON.parse(await readFile(configuration, 'utf8')));
  const vm = await service.findVm(vmName);
  if (vm === null) throw new Error(`there is no VM ${vmName}`);
  if (!vm.config.changeTrackingEnabled) await vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
  await mkdir(folder, { recursive: true });
  const stored = join(folder, 'changeids.json');
  const before: Record<string, string> = JSON.parse(await readFile(stored, 'utf8').catch(() => '{}'));

  check(VixDiskLib_InitEx(8, 0, null, null, null, null, null), 'VixDiskLib_InitEx');
  configureVixDiskLib({ service });
  const snapshot = await vm.CreateSnapshot_Task('backup', '', false, false).wait();
  const after: Record<string, string> = {};
  try {
    const connection = ref<VixDiskLibConnection>();
    const params = { vmxSpec: `moref=${vm._moId}` };
    check(await VixDiskLib_ConnectEx(params, true, snapshot._moId, null, connection), 'VixDiskLib_ConnectEx');
    try {
      for (const disk of snapshot.config.hardware.device) {
        if (!(disk instanceof VirtualDisk)) continue;
        const last = before[disk.key];
        const changed = last === undefined ? null : await changedAreas(vm, snapshot, disk, last);
        const areas = changed ?? (await changedAreas(vm, snapshot, disk, '*'));
        const path = join(folder, `${disk.key}.raw`);
        // A full run starts from an empty file: what it does not name is zeros.
        if (changed === null) await writeFile(path, '');
        await copyAreas(connection.value as VixDiskLibConnection, disk, areas ?? [], path);
        console.log(`disk ${disk.key}: ${changed === null ? 'full' : 'incremental'}, ${areas?.length} areas`);
        if (disk.backing.changeId !== undefined) after[disk.key] = disk.backing.changeId;
      }
    } finally {
      check(await VixDiskLib_Disconnect(connection.value ?? null), 'VixDiskLib_Disconnect');
    }
    await writeFile(`${stored}.new`, JSON.stringify(after));
    await rename(`${stored}.new`, stored);
  } finally {
    await snapshot.RemoveSnapshot_Task(false).wait();
    VixDiskLib_Exit();
  }
}

const [configuration, vmName, folder] = process.argv.slice(2);
if (configuration === undefined || vmName === undefined || folder === undefined) {
  console.error('usage: node backup.js <vms.json> <vm> <folder>');
  process.exitCode = 2;
} else {
  await backup(configuration, vmName, folder);
}
