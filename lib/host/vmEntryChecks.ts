/** VMs that a program passes, checked before anything is asked of them. */
import { invalidArgument } from '../core/errors.js';
import {
  type Check,
  type Checks,
  distinctNames,
  flag,
  integer,
  listOf,
  mapOf,
  required,
  shape,
  text,
  uuid,
} from '../core/options.js';
import type { VmEntry } from './hostVm.js';
import { LEAST_POINTS, MOST_POINTS } from './keepPoints.js';

const ENTRY: Checks<VmEntry> = {
  name: required(text),
  uuid,
  qmpSocket: text,
  libvirt: text,
  agentSocket: text,
  images: mapOf(text),
  disks: distinctNames,
  scratchFolder: text,
  allowUnwatchedScratch: flag,
  nbdSocket: text,
  keepPoints: integer(LEAST_POINTS, MOST_POINTS),
};

const entry: Check = (value, name) => {
  shape<VmEntry>(ENTRY)(value, name);
  const { qmpSocket, libvirt } = value as VmEntry;
  if ((qmpSocket === undefined) === (libvirt === undefined))
    throw invalidArgument(`${name}.qmpSocket`, qmpSocket, `the VM's QMP socket, or libvirt in its place`);
};

/** A list of VMs; two may have one name, and are then not found by it. */
export const vmList: Check = listOf(entry);

/** A list of VMs, each of another name. */
export const vmEntries: Check = (value, name) => {
  vmList(value, name);
  const first = new Map<string, number>();
  for (const [at, vm] of (value as readonly VmEntry[]).entries()) {
    const other = first.get(vm.name);
    if (other !== undefined)
      throw invalidArgument(
        `${name}[${at}].name`,
        vm.name,
        `a name of its own: it is that of ${name}[${other}]`,
      );
    first.set(vm.name, at);
  }
};
