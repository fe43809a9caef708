/**
 * The flow of `prlctl backup --abackup-mode`, written with the SDK's calls only, so that it reads line by line like a C program:
 * begin a backup, take each disk's map, read the granules that it names, commit, keep the UUID for the next time.
 *
 *   <i>.full    the disk, holes where nothing was                 <i>.delta   changed granules, in place
 *   <i>.cbt     the raw map                                       uuid        the point in time to ask changes since
 *                                                                 disks       the history of each disk, a line a disk
 *
 *   node abackup.js full <vm> <folder>
 *   node abackup.js incremental <vm> <folder> <folder of the run before>
 *   node abackup.js restore <folder of the full run> [<folder>…] <to>
 */
import { mkdir, open, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  PBMBF_CREATE_MAP,
  PBT_FULL,
  PBT_INCREMENTAL,
  type PRL_DISK_PARAMETERS,
  PRL_ERR_NO_DATA,
  PRL_FAILED,
  type PRL_HANDLE,
  type PRL_RESULT,
  PrlApi_Deinit,
  PrlApi_GetResultDescription,
  PrlApi_Init,
  PrlDisk_GetChangesMap_Local,
  PrlDisk_GetDiskInfo,
  PrlDisk_Read,
  PrlDiskMap_GetGranularity,
  PrlDiskMap_GetSize,
  PrlDiskMap_Read,
  PrlHandle_Free,
  PrlJob_GetResult,
  PrlJob_GetRetCode,
  PrlJob_Wait,
  PrlResult_GetParam,
  PrlSrv_Create,
  PrlSrv_GetVmConfig,
  PrlSrv_LoginLocal,
  PrlVm_BeginBackup,
  PrlVmBackup_Commit,
  PrlVmBackup_GetDisk,
  PrlVmBackup_GetDisksCount,
  PrlVmBackup_GetUuid,
  PrlVmBackup_Rollback,
  ref,
  VIRTUOZZO_API_VER,
} from 'qemu-cbt/parallels';

const SECTOR = 512;
const MINUTES = 60_000;

/** What a result means, with the reason of the last failure. */
function describe(result: PRL_RESULT): string {
  const length = ref(0);
  PrlApi_GetResultDescription(result, 0, 0, null, length);
  const text = Buffer.alloc(length.value);
  PrlApi_GetResultDescription(result, 0, 0, text, length);
  return text.subarray(0, -1).toString();
}

function check(result: PRL_RESULT, what: string): void {
  if (PRL_FAILED(result)) throw new Error(`${what}: ${describe(result)}`);
}

/** Waits for a job; the handle it gave, 0 for none. */
async function finish(job: PRL_HANDLE, what: string): Promise<PRL_HANDLE> {
  check(await PrlJob_Wait(job, 10 * MINUTES), what);
  const code = ref(0);
  check(PrlJob_GetRetCode(job, code), what);
  check(code.value, what);
  const result = ref(0);
  check(PrlJob_GetResult(job, result), what);
  const handle = ref(0);
  const got = PrlResult_GetParam(result.value, handle);
  await PrlHandle_Free(result.value);
  await PrlHandle_Free(job);
  return PRL_FAILED(got) ? 0 : handle.value;
}

interface DiskMap {
  bits: Buffer;
  count: number;
  granularity: number;
}

/** The map since `uuid`, or of all that holds data; null where the point in time cannot be answered for. */
async function readMap(disk: PRL_HANDLE, uuid: string | null): Promise<DiskMap | null> {
  const map = ref(0);
  const result = await PrlDisk_GetChangesMap_Local(disk, uuid, null, map);
  if (result === PRL_ERR_NO_DATA) {
    console.error(`no incremental backup is possible: ${describe(result)}`);
    return null;
  }
  check(result, 'PrlDisk_GetChangesMap_Local');
  const count = ref(0);
  const granularity = ref(0);
  const capacity = ref(0);
  check(PrlDiskMap_GetSize(map.value, count), 'PrlDiskMap_GetSize');
  check(PrlDiskMap_GetGranularity(map.value, granularity), 'PrlDiskMap_GetGranularity');
  check(PrlDiskMap_Read(map.value, null, capacity), 'PrlDiskMap_Read');
  const bits = Buffer.alloc(capacity.value);
  check(PrlDiskMap_Read(map.value, bits, capacity), 'PrlDiskMap_Read');
  await PrlHandle_Free(map.value);
  return { bits, count: count.value, granularity: granularity.value };
}

function readInfo(disk: PRL_HANDLE): { diskBytes: number; history: string } {
  const size = ref(0);
  check(PrlDisk_GetDiskInfo(disk, null, size), 'PrlDisk_GetDiskInfo');
  const info = ref<PRL_DISK_PARAMETERS>();
  check(PrlDisk_GetDiskInfo(disk, info, size), 'PrlDisk_GetDiskInfo');
  const { m_SizeInSectors = 0, m_Uuid = '' } = info.value ?? {};
  return { diskBytes: m_SizeInSectors * SECTOR, history: m_Uuid };
}

/** Copies the granules of the map into a file, each at its place. */
async function copyGranules(disk: PRL_HANDLE, map: DiskMap, path: string): Promise<void> {
  const { diskBytes } = readInfo(disk);
  const file = await open(path, 'w');
  try {
    await file.truncate(diskBytes);
    const buffer = Buffer.alloc(map.granularity);
    for (let n = 0; n < map.count; n += 1) {
      if (((map.bits[n >> 3] ?? 0) & (1 << (n & 7))) === 0) continue;
      // A whole granule, also where the disk ends inside it.
      check(
        await PrlDisk_Read(disk, buffer, map.granularity, (n * map.granularity) / SECTOR),
        'PrlDisk_Read',
      );
      const at = n * map.granularity;
      await file.write(buffer, 0, Math.min(map.granularity, diskBytes - at), at);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** One run. `type` PBT_FULL or PBT_INCREMENTAL; an incremental one reads the UUID of the run before from `previous`. */
export async function abackup(
  vmName: string,
  folder: string,
  type: number,
  previous: string | null = null,
): Promise<void> {
  check(PrlApi_Init(VIRTUOZZO_API_VER), 'PrlApi_Init');
  try {
    const server = ref(0);
    check(PrlSrv_Create(server), 'PrlSrv_Create');
    await finish(PrlSrv_LoginLocal(server.value, '', 0, 0), 'PrlSrv_LoginLocal');
    const vm = await finish(PrlSrv_GetVmConfig(server.value, vmName), 'PrlSrv_GetVmConfig');
    const uuid =
      type === PBT_FULL || previous === null ? null : (await readFile(join(previous, 'uuid'), 'utf8')).trim();
    const before = uuid === null ? [] : (await readFile(join(previous ?? '', 'disks'), 'utf8')).split('\n');
    const histories: string[] = [];
    await mkdir(folder, { recursive: true });
    const backup = await finish(PrlVm_BeginBackup(vm, PBMBF_CREATE_MAP), 'PrlVm_BeginBackup');
    try {
      const count = ref(0);
      check(PrlVmBackup_GetDisksCount(backup, count), 'PrlVmBackup_GetDisksCount');
      for (let i = 0; i < count.value; i += 1) {
        const disk = ref(0);
        check(await PrlVmBackup_GetDisk(backup, i, disk), 'PrlVmBackup_GetDisk');
        // Every disk of the VM has the point in time: which disk this is, its history tells, and not its place.
        const { history } = readInfo(disk.value);
        histories.push(history);
        const changed = uuid === null || history !== before[i] ? null : await readMap(disk.value, uuid);
        const map = changed ?? (await readMap(disk.value, null));
        if (map === null) throw new Error('a disk has no map');
        await copyGranules(disk.value, map, join(folder, `${i}.${changed === null ? 'full' : 'delta'}`));
        if (changed !== null) await writeFile(join(folder, `${i}.cbt`), changed.bits);
        check(await PrlHandle_Free(disk.value), 'PrlHandle_Free');
      }
      const length = ref(0);
      check(PrlVmBackup_GetUuid(backup, null, length), 'PrlVmBackup_GetUuid');
      const text = Buffer.alloc(length.value);
      check(PrlVmBackup_GetUuid(backup, text, length), 'PrlVmBackup_GetUuid');
      await finish(PrlVmBackup_Commit(backup), 'PrlVmBackup_Commit');
      await writeFile(join(folder, 'disks'), `${histories.join('\n')}\n`);
      await writeFile(join(folder, 'uuid'), `${text.subarray(0, -1).toString()}\n`);
    } catch (error) {
      await finish(PrlVmBackup_Rollback(backup), 'PrlVmBackup_Rollback').catch(() => 0);
      throw error;
    }
  } finally {
    await PrlApi_Deinit();
  }
}

const GRANULE = 65_536;

/** Puts a full run and the incremental ones after it together, oldest first: `<to>/<i>.raw`. */
export async function restore(runs: readonly string[], to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const run of runs) {
    for (const name of (await readdir(run)).filter((file) => /\.(full|delta)$/.test(file))) {
      const index = name.slice(0, name.indexOf('.'));
      const target = join(to, `${index}.raw`);
      const source = await open(join(run, name));
      const file = await open(target, name.endsWith('.full') ? 'w' : 'r+');
      const bits = name.endsWith('.full') ? null : await readFile(join(run, `${index}.cbt`));
      const { size } = await source.stat();
      const buffer = Buffer.alloc(GRANULE);
      for (let n = 0; n * GRANULE < size; n += 1) {
        if (bits !== null && ((bits[n >> 3] ?? 0) & (1 << (n & 7))) === 0) continue;
        const { bytesRead } = await source.read(buffer, 0, GRANULE, n * GRANULE);
        await file.write(buffer, 0, bytesRead, n * GRANULE);
      }
      await file.close();
      await source.close();
      await truncate(target, size);
    }
  }
}

const [command, ...args] = process.argv.slice(2);
if (command === 'full') await abackup(String(args[0]), String(args[1]), PBT_FULL);
else if (command === 'incremental')
  await abackup(String(args[0]), String(args[1]), PBT_INCREMENTAL, String(args[2]));
else if (command === 'restore') await restore(args.slice(0, -1), String(args.at(-1)));
