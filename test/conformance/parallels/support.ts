/** What the conformance tests of this facade share: an initialised library, images with points in time, a VM to back up. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import * as prl from '../../../lib/facade/parallels/index.js';
import { runtime } from '../../../lib/facade/parallels/runtime.js';
import type { VmEntry } from '../../../lib/host/hostVm.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { qemuImg, writeRecorded } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

export { prl };
export const KIB64 = 65_536;
export const { ref } = prl;

let folder: TemporaryFolder;

/** An initialised library and a folder for each test; afterwards no handle and no process is left. */
export function useLibrary(): void {
  beforeEach(async () => {
    folder = await makeTemporaryFolder();
    expect(prl.PrlApi_Init(prl.VIRTUOZZO_API_VER)).toBe(prl.PRL_ERR_SUCCESS);
  });
  afterEach(async () => {
    await prl.PrlApi_Deinit();
    expect(runtime().table.size).toBe(0);
    prl.configureLocalServer(undefined);
    await folder.remove();
  });
}

export function path(name: string): string {
  return join(folder.path, name);
}

export function filesInFolder(): string[] {
  return readdirSync(folder.path);
}

/** A tracked qcow2 image of so many bytes; `pits[i]` was taken before the writes `writes[i]` ([offset, length]). */
export async function makeImage(
  writes: readonly (readonly (readonly [number, number])[])[] = [[[0, 512]], [[10 * KIB64, 512]]],
  sizeBytes = 64 * KIB64,
): Promise<{ file: string; pits: string[] }> {
  const file = path('disk.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, String(sizeBytes));
  const tracking = new ImageTracking([file]);
  const pits: string[] = [];
  for (const [index, ranges] of writes.entries()) {
    const { pit } = index === 0 ? await tracking.enable() : await tracking.begin();
    pits.push(String(pit));
    if (ranges.length > 0) await writeRecorded(file, ranges);
  }
  return { file, pits };
}

/** Opens a disk that must open. */
export async function open(name: string, flags: number = prl.PRL_DISK_READ): Promise<number> {
  const disk = ref<number>();
  expect(await prl.PrlDisk_OpenDisk_Local(disk, name, flags, 0)).toBe(prl.PRL_ERR_SUCCESS);
  return Number(disk.value);
}

/** A map that must be there. */
export async function mapOf(disk: number, pit1: string | null, pit2: string | null = null): Promise<number> {
  const map = ref<number>();
  expect(await prl.PrlDisk_GetChangesMap_Local(disk, pit1, pit2, map)).toBe(prl.PRL_ERR_SUCCESS);
  return Number(map.value);
}

/** Numbers of the set bits, by a reader that shares nothing with the product. */
export function bitsOf(map: number): number[] {
  const capacity = ref(0);
  expect(prl.PrlDiskMap_Read(map, null, capacity)).toBe(prl.PRL_ERR_SUCCESS);
  const buffer = Buffer.alloc(capacity.value);
  expect(prl.PrlDiskMap_Read(map, buffer, capacity)).toBe(prl.PRL_ERR_SUCCESS);
  const text = [...buffer].map((byte) => [...byte.toString(2).padStart(8, '0')].reverse().join('')).join('');
  return [...text].flatMap((bit, n) => (bit === '1' ? [n] : []));
}

/** What a job ended with. */
export async function codeOf(job: number): Promise<number> {
  expect(await prl.PrlJob_Wait(job, 30_000)).toBe(prl.PRL_ERR_SUCCESS);
  const code = ref<number>();
  expect(prl.PrlJob_GetRetCode(job, code)).toBe(prl.PRL_ERR_SUCCESS);
  return Number(code.value);
}

/** The first handle that a job gave. */
export async function handleOf(job: number): Promise<number> {
  const handle = ref<number>();
  expect(prl.PrlResult_GetParam(await resultOf(job), handle)).toBe(prl.PRL_ERR_SUCCESS);
  return Number(handle.value);
}

/** VMs that nobody asks anything. */
export const TWO_VMS: readonly VmEntry[] = [
  { name: 'a', qmpSocket: '/a' },
  { name: 'b', qmpSocket: '/b' },
];

/** A server, logged in to with these VMs. */
export async function serverOf(vms: readonly VmEntry[]): Promise<number> {
  prl.configureLocalServer(vms);
  const server = ref<number>();
  expect(prl.PrlSrv_Create(server)).toBe(prl.PRL_ERR_SUCCESS);
  expect(await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)))).toBe(prl.PRL_ERR_SUCCESS);
  return Number(server.value);
}

/** What a job that succeeded gave. */
export async function resultOf(job: number): Promise<number> {
  expect(await codeOf(job)).toBe(prl.PRL_ERR_SUCCESS);
  const result = ref<number>();
  expect(prl.PrlJob_GetResult(job, result)).toBe(prl.PRL_ERR_SUCCESS);
  return Number(result.value);
}

type Handler = (event: number, userData: unknown) => void;
type OfHandler = (it: number, handler: Handler | null, data?: unknown) => number;

/** A function that is registered for `it` is told of the job that `begin` starts, which ends with this code. */
export async function expectTold(
  register: OfHandler,
  it: number,
  begin: (it: number) => number,
  expected: number,
): Promise<void> {
  const told: unknown[][] = [];
  const data = {};
  const handler: Handler = (event, userData) => {
    const code = ref<number>();
    prl.PrlJob_GetRetCode(event, code);
    told.push([event, code.value, userData]);
  };
  expect(register(it, handler, data)).toBe(prl.PRL_ERR_SUCCESS);
  const job = begin(it);
  expect(await codeOf(job)).toBe(expected);
  expect(told).toEqual([[job, expected, data]]);
  expect(told[0]?.[2]).toBe(data);
  expect(register(it, null)).toBe(prl.PRL_ERR_INVALID_ARG);
}

/** One that is taken off by its data is not told any more, and can be taken off once. */
export async function expectTakenOff(
  register: OfHandler,
  unregister: OfHandler,
  it: number,
  begin: (it: number) => number,
): Promise<void> {
  const told: unknown[] = [];
  const handler: Handler = (_event, userData) => void told.push(userData);
  for (const data of ['a', 'b']) expect(register(it, handler, data)).toBe(prl.PRL_ERR_SUCCESS);
  expect(unregister(it, handler, 'c')).toBe(prl.PRL_ERR_INVALID_ARG);
  expect(unregister(it, handler, 'a')).toBe(prl.PRL_ERR_SUCCESS);
  expect(unregister(it, handler, 'a')).toBe(prl.PRL_ERR_INVALID_ARG);
  await codeOf(begin(it));
  expect(told).toEqual(['b']);
}

/** A running QEMU with one tracked disk `d`, and what the SDK needs to find it. */
export async function startVm(
  entry: Partial<VmEntry> = {},
): Promise<{ daemon: StorageDaemon; server: number; vm: number }> {
  const file = path('d.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, String(64 * KIB64));
  const daemon = await StorageDaemon.start({ disks: [{ node: 'd', file }] });
  await daemon.exportWritable('d');
  prl.configureLocalServer([
    {
      name: 'web',
      uuid: '12345678-1234-4234-8234-123456789abc',
      qmpSocket: daemon.process.file('qmp.sock'),
      disks: ['d'],
      scratchFolder: folder.path,
      nbdSocket: daemon.nbdPath,
      ...entry,
    },
  ]);
  const server = ref<number>();
  expect(prl.PrlSrv_Create(server)).toBe(prl.PRL_ERR_SUCCESS);
  expect(await codeOf(prl.PrlSrv_LoginLocal(Number(server.value), '', 0, 0))).toBe(prl.PRL_ERR_SUCCESS);
  const vm = await handleOf(prl.PrlSrv_GetVmConfig(Number(server.value), 'web'));
  return { daemon, server: Number(server.value), vm };
}

/** A backup that must begin. */
export async function beginBackup(vm: number, flags: number = prl.PBMBF_CREATE_MAP): Promise<number> {
  return handleOf(prl.PrlVm_BeginBackup(vm, flags));
}

/** The text of a call that gives one through a buffer and its length. */
export async function textOf(
  ask: (buffer: Buffer | null, length: prl.Ref<number>) => number | Promise<number>,
): Promise<string> {
  const length = ref(0);
  expect(await ask(null, length)).toBe(prl.PRL_ERR_SUCCESS);
  const buffer = Buffer.alloc(length.value);
  expect(await ask(buffer, length)).toBe(prl.PRL_ERR_SUCCESS);
  expect(buffer.at(-1)).toBe(0);
  return buffer.subarray(0, -1).toString();
}
