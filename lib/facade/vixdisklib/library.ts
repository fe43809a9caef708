/**
 * The state of the library in this process: whether it is initialised, the service whose VMs it reads, and where the datastores of its
 * paths are.
 */
import { isAbsolute, join, normalize } from 'node:path';
import type { Ref } from '../ref.js';
import type { ServiceInstance, VirtualMachine } from '../vsphere/index.js';
import { VIX_E_DISK_NOINIT, VIX_E_FILE_NAME_INVALID } from './constants/codes.js';
import { invalid, setLog, VixFailure } from './errors.js';
import type { VixDiskLibGenericLogFunc } from './types.js';

/** Where disks are found that are not named by a plain path. */
export interface VixDiskLibSettings {
  /** The VMs that `vmxSpec` may name. */
  service?: ServiceInstance | undefined;
  /** Folder of each datastore in paths such as `[store] vm/disk.vmdk`; `local` is the file system itself unless given. */
  datastores?: Readonly<Record<string, string>> | undefined;
  /** Format (as QEMU names it) of images, by absolute path, whose names do not say it; told by the name unless given. */
  formats?: Readonly<Record<string, string>> | undefined;
}

let settings: VixDiskLibSettings = {};
let initialised = false;

/** Says where VMs and datastores are; kept until it is called again. */
export function configureVixDiskLib(to: VixDiskLibSettings): void {
  settings = to;
}

export function service(): ServiceInstance | undefined {
  return settings.service;
}

/** The VM that a `vmxSpec` names: `moref=` and a reference, or whatever `findVm` takes; null where there is none. */
export async function findVm(spec: string): Promise<VirtualMachine | null> {
  const moref = /^moref=(.*)$/s.exec(spec)?.[1];
  const found = moref === undefined ? settings.service?.findVm(spec) : settings.service?.findByMoref(moref);
  return (await found) ?? null;
}

export function toldFormat(file: string): string | undefined {
  const { formats = {} } = settings;
  return Object.hasOwn(formats, file) ? formats[file] : undefined;
}

export interface InitParameters {
  major: number;
  minor: number;
  log: VixDiskLibGenericLogFunc | null;
}

export function initialise({ major, minor, log }: InitParameters): void {
  if (!Number.isInteger(major) || major < 1 || !Number.isInteger(minor) || minor < 0)
    throw invalid('majorVersion and minorVersion', 'a version from 1.0 on');
  initialised = true;
  setLog(log ?? (() => undefined));
  // The shape that importers look for.
  log?.('VMware VixDiskLib (8.0.3) Release build-0 (qemu-cbt)\n');
}

export function deinitialise(): void {
  initialised = false;
  setLog(() => undefined);
}

export function requireInitialised(): void {
  if (!initialised) throw new VixFailure(VIX_E_DISK_NOINIT, 'VixDiskLib_InitEx has not been called');
}

/** The file behind a path: absolute, or `[store] folder/name`, which stays inside its store. */
export function fileOf(path: unknown): string {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) throw invalid('path', 'a path');
  const stored = /^\[([^\]]*)\]\s*(.*)$/s.exec(path);
  if (stored === null) {
    if (isAbsolute(path)) return path;
    throw new VixFailure(
      VIX_E_FILE_NAME_INVALID,
      `${path} is neither absolute nor of the form [store] folder/name`,
    );
  }
  const [, store = '', name = ''] = stored;
  const stores = settings.datastores ?? {};
  const folder =
    (Object.hasOwn(stores, store) ? stores[store] : undefined) ?? (store === 'local' ? '/' : undefined);
  if (folder === undefined) throw new VixFailure(VIX_E_FILE_NAME_INVALID, `there is no datastore [${store}]`);
  const inside = normalize(`/${name}`);
  if (inside === '/' || name.split('/').includes('..'))
    throw new VixFailure(VIX_E_FILE_NAME_INVALID, `${path} leads out of its datastore`);
  return join(folder, inside);
}

export function requireRef<T>(argument: string, out: Ref<T> | null | undefined): Ref<T> {
  if (typeof out !== 'object' || out === null || !('value' in out)) throw invalid(argument, 'a ref()');
  return out;
}

/** A number of sectors, or of anything else that is counted. */
export function requireCount(argument: string, value: unknown): number {
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0)
    throw invalid(argument, `an integer from 0 to ${Number.MAX_SAFE_INTEGER}`);
  return number;
}
