/**
 * What a disk of a running QEMU is to us: its names, the node that holds its image, and whether it can be tracked.
 */
import type { VmLayer } from './layers.js';

/** What the guest (or an export) sees of a disk. */
export interface DiskNames {
  /** A name that finds exactly this disk and outlives restarts where the VM's owner gave one. */
  id: string;
  /** As the VM's owner calls it, where he calls it otherwise than QEMU. */
  ownName?: string;
  /** Name of the block backend: the id of a -drive. */
  deviceId?: string;
  /** As QEMU names the guest device: its id, or its QOM path. */
  qdevPath?: string;
  /** QOM type: 'virtio-blk-device', 'scsi-hd', 'ide-hd', 'nvme', … Absent when QEMU would not say. */
  deviceType?: string;
}

/** The image behind a disk. */
export interface DiskImage {
  /** The node that holds the image, below all filters; bitmaps go here. */
  formatNode: string;
  /** Filters between the device and the format node, top first. */
  filtersAbove: readonly string[];
  /** Path or URI; see VmLayer. */
  filename: string;
  /** Every path or URI this image is known by: image, protocol node, external data file. */
  files: readonly string[];
  sizeBytes: number;
  /**
   * Node of an overlay of ours that takes the guest's writes for now, above `formatNode`. The disk is still the image
   * below it: its points in time are there, and what the overlay took is committed back when its session ends.
   */
  overlay?: string;
  /** Driver of the format node: 'qcow2', 'raw', … */
  format: string;
  /** Whether bitmaps survive a clean stop of QEMU: qcow2 of version 3, opened for writing. */
  persistentCapable: boolean;
  /** Whether one of its files is encrypted. QEMU has the key: whoever reads the disk through QEMU gets clear text. */
  encrypted: boolean;
  /** Top first. */
  layers: readonly [VmLayer, ...VmLayer[]];
}

export interface TrackableDisk extends DiskNames, DiskImage {
  trackable: true;
}

/** A device that cannot be tracked, and why; its image is given where there is one. */
export interface UntrackableDisk extends DiskNames, Partial<DiskImage> {
  trackable: false;
  why: string;
  /** A disk in every other way, but that nothing leads to it: the image. Worth telling who asked for all disks. */
  apart?: DiskImage;
}

export type VmDisk = TrackableDisk | UntrackableDisk;

/** A disk before it has its id. */
export type UnnamedDisk = Omit<TrackableDisk, 'id'> | Omit<UntrackableDisk, 'id'>;
