/** The wiring of a VM, whether it runs or is off. */
import { LIBVIRT_PREFIX } from '../backend/libvirt/domainName.js';
import { isNobodyThere } from '../backend/qemu/wayToQemu.js';
import { invalidArgument, throwIfAborted } from '../core/errors.js';
import {
  type Check,
  type Checks,
  checkOptions,
  flag,
  listOf,
  mapOf,
  oneOf,
  text,
  uuid,
} from '../core/options.js';
import { timeLeft } from '../core/timeLeft.js';
import type { CallOptions, Vm } from '../core/vm.js';
import { within } from '../core/within.js';
import { BoundedVm } from './boundedVm.js';
import type { OffVm } from './offVm.js';
import type { OpenDiskOptions } from './openFile.js';
import { type ConnectVmOptions, connectChecks, reachVm, underHolds } from './vm.js';
import { WatchedVm } from './watchedVm.js';

/** What a VM is reached by, running or off. */
export interface OpenVmOptions extends ConnectVmOptions {
  /** QMP socket, or `libvirt:<uri>#<domain>`; none for images that are nobody's VM. */
  address?: string | undefined;
  /**
   * Paths of its images for when it is off: by the names that the disks have while it runs, or alone, and then each disk is
   * called by its path. Each image once.
   */
  images?: readonly string[] | Readonly<Record<string, string>> | undefined;
  /** Format of the images; told from each file unless given, and then nothing that it names is opened. */
  format?: OpenDiskOptions['format'];
  /** Whether formats of images that only the bytes tell are believed, and what such files name is opened. */
  trust?: boolean | undefined;
  /** Of a VM that is off: what `facts` tells. */
  name?: string | undefined;
  /** Of a VM that is off: what `facts` tells. */
  uuid?: string | undefined;
}

/** By names, or alone. */
const imagePaths: Check = (value, name) => (Array.isArray(value) ? listOf(text) : mapOf(text))(value, name);

const { signal, ...kept } = connectChecks;

/** The checks of a VM that is kept at hand: no signal ends that. */
export const keepChecks: Checks<Omit<OpenVmOptions, 'signal'>> = {
  ...kept,
  address: text,
  images: imagePaths,
  format: oneOf('qcow2', 'raw', 'parallels'),
  trust: flag,
  name: text,
  uuid,
};

const OPEN: Checks<OpenVmOptions> = { ...keepChecks, signal };

/**
 * A VM as it is now: running, where somebody answers on its QMP socket, and off, where nobody listens there and its images are
 * known. A monitor that is silent or busy is an error and never taken for one that is off, and so is a QEMU that has
 * the images and is not behind the socket (`ERR_CBT_BACKEND_UNAVAILABLE` with `BUSY`). Changes of a VM that a program holds as it is
 * (`VirtualMachine.hold`, `VixDiskLib_PrepareForAccess`) are refused with `BUSY`; images that are nobody's VM are held by nobody.
 * @param options The VM: how it is reached, and its images for when it is off.
 * @throws `CbtError` where it neither runs nor has images.
 * @example
 * ```ts
 * await using vm = await openVm({ name: 'web', address: '/run/vms/web.qmp', images: { drive0: '/vm/disk.qcow2' } });
 * ```
 */
export async function openVm(options: OpenVmOptions): Promise<Vm> {
  checkOpenVm(options);
  const left = timeLeft(options);
  const vm = await reachVmOrImages(options);
  const { address } = options;
  return address === undefined ? vm : underHolds(vm, address, left());
}

function checkOpenVm(options: OpenVmOptions): void {
  checkOptions('openVm', options, OPEN);
  requireWay(options);
}

/** Refuses a VM that nothing leads to. */
export function requireWay({ address, images = {} }: OpenVmOptions, prefix = ''): void {
  if (address !== undefined || Object.keys(images).length > 0) return;
  throw invalidArgument(
    `${prefix}address`,
    address,
    'a QMP socket or libvirt:<uri>#<domain>, where there are no images',
  );
}

/** The same for who sees to holders himself: nothing is refused. */
export async function reachVmOrImages(options: OpenVmOptions): Promise<Vm> {
  checkOpenVm(options);
  throwIfAborted(options.signal);
  const left = timeLeft(options);
  const { address, images, name: _, uuid: __, format: ___, trust: ____, ...connect } = options;
  if (address === undefined) return new WatchedVm(new BoundedVm(await openOff(options)), options.logger);
  try {
    return await reachVm(address, connect);
  } catch (error) {
    if (!isNobodyThere(error) || (images === undefined && !isDomain(address))) throw error;
  }
  const off = images === undefined ? await openOffDomain(address, options, left()) : await openOff(options);
  await off.requireOff(address);
  return new WatchedVm(new BoundedVm(off), options.logger);
}

function isDomain(address: string): boolean {
  return address.startsWith(LIBVIRT_PREFIX);
}

/** Where an overlay of the VM may wait. */
function placesOf({ scratchFolder, scratchPlaces = [] }: OpenVmOptions): readonly string[] {
  return scratchFolder === undefined ? scratchPlaces : [...scratchPlaces, scratchFolder];
}

/** A domain's images are those of its XML. */
async function openOffDomain(address: string, options: OpenVmOptions, left: CallOptions): Promise<OffVm> {
  const { kernel } = options;
  const { offDomain } = await import('./offDomain.js');
  return within('openVm', left, (own) =>
    offDomain(address, { kernel, signal: own?.signal }, placesOf(options)),
  );
}

async function openOff(options: OpenVmOptions): Promise<OffVm> {
  const { address, images = [], name = null, uuid: id = null, format, trust, kernel } = options;
  const { OffVm } = await import('./offVm.js');
  const named = Array.isArray(images) ? images.map((path) => [path, path]) : Object.entries(images);
  const disks = named.map(([disk = '', path = '']) => ({ disk, path, known: { format, trust, kernel } }));
  return new OffVm(
    { key: id?.toLowerCase() ?? address ?? disks[0]?.path ?? '', name, uuid: id },
    disks,
    placesOf(options),
  );
}
