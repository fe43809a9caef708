/** From what is remembered to the API's data objects: references, disks, the tree of snapshots. */
import { createHash } from 'node:crypto';
import { type DiskRecord, FIRST_KEY, type SnapshotRecord } from '../../host/vmRecord.js';
import type {
  ManagedObjectReference,
  VirtualDisk,
  VirtualDiskBackingParent,
  VirtualMachineSnapshotInfo,
  VirtualMachineSnapshotTree,
} from './types.js';

export function snapshotMoref(id: number): ManagedObjectReference {
  return { type: 'VirtualMachineSnapshot', value: `snapshot-${id}` };
}

export function fileNameOf(path: string): string {
  return `[local] ${path}`;
}

/** Disks sit on SCSI controllers with 16 units each, in the order of their keys. */
const FIRST_CONTROLLER = 1000;
const UNITS = 16;
const busOf = (key: number): number => Math.floor((key - FIRST_KEY) / UNITS);
const unitOf = (key: number): number => (key - FIRST_KEY) % UNITS;

/** Name of a disk's own option in extraConfig. */
export function ctkOptionOf(key: number): string {
  return `scsi${busOf(key)}:${unitOf(key)}.ctkEnabled`;
}

function parentOf(parents: readonly string[]): VirtualDiskBackingParent | undefined {
  let below: VirtualDiskBackingParent | undefined;
  for (const path of [...parents].reverse()) {
    const fileName = fileNameOf(path);
    below = { fileName, uuid: uuidOf(fileName), ...(below !== undefined && { parent: below }) };
  }
  return below;
}

/** A disk in a configuration, with its changeId where it is tracked. */
export function deviceOf(disk: Omit<DiskRecord, 'instant'> & { changeId?: string | undefined }): VirtualDisk {
  const { key, fileName, capacityInBytes, changeId, parents = [] } = disk;
  const parent = parentOf(parents);
  return {
    key,
    controllerKey: FIRST_CONTROLLER + busOf(key),
    unitNumber: unitOf(key),
    deviceInfo: { label: disk.disk, summary: `${capacityInBytes / 1024} KB` },
    backing: {
      fileName,
      uuid: uuidOf(fileName),
      ...(parent !== undefined && { parent }),
      ...(changeId !== undefined && { changeId }),
      diskMode: 'persistent',
      thinProvisioned: true,
    },
    capacityInKB: Math.floor(capacityInBytes / 1024),
    capacityInBytes,
    diskObjectId: `1-${key}`,
  };
}

/** Each snapshot is the child of the one before it. */
export function treeOf(
  vm: ManagedObjectReference,
  snapshots: readonly SnapshotRecord[],
): VirtualMachineSnapshotInfo | null {
  const newest = snapshots.at(-1);
  if (newest === undefined) return null;
  let below: VirtualMachineSnapshotTree[] = [];
  for (const { id, name, description, createTime, quiesced } of [...snapshots].reverse()) {
    const snapshot = snapshotMoref(id);
    below = [
      {
        snapshot,
        vm,
        name,
        description,
        id,
        createTime,
        state: 'poweredOff',
        quiesced,
        childSnapshotList: below,
      },
    ];
  }
  return { currentSnapshot: snapshotMoref(newest.id), rootSnapshotList: below };
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A UUID that is always the same for the same text. */
export function uuidOf(text: string): string {
  const hex = hashOf(text);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
