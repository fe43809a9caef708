/**
 * By which names a disk of a VM is found, and which of them is shown. In this order: block backend (-drive id), guest
 * device (id or QOM path, whole or its last part), node name, file. The first kind of name that fits anything decides.
 */
import { stat } from 'node:fs/promises';
import { CbtError } from '../../core/errors.js';
import type { UnnamedDisk, VmDisk } from './vmDisk.js';

type Named = UnnamedDisk | VmDisk;

/** Gives every disk an id: the most lasting of its names that finds this disk and no other. */
export function nameDisks(disks: readonly UnnamedDisk[]): VmDisk[] {
  return disks.map((disk, index) => {
    const candidates = [
      ...devicePart(disk),
      ...(disk.deviceId === undefined ? [] : [disk.deviceId]),
      ...nodesOf(disk)
        .reverse()
        .filter((node) => !node.startsWith('#')),
      ...(disk.filename === undefined || disk.filename.startsWith('json:') ? [] : [disk.filename]),
      ...(disk.qdevPath === undefined ? [] : [disk.qdevPath]),
    ];
    const id = candidates.find((name) => {
      const found = matching(disks, name);
      return found.length === 1 && found[0] === disk;
    });
    return { ...disk, id: id ?? numbered(disks, index) };
  });
}

/** For a disk whose every name fits another one better: its place in QEMU's list, which nothing else is called. */
function numbered(disks: readonly UnnamedDisk[], index: number): string {
  let id = `disk#${index}`;
  while (matching(disks, id).length > 0) id += '+';
  return id;
}

/** The disk of that name. Throws ERR_CBT_INVALID_ARGUMENT listing what there is, or what the name fits. */
export async function findDisk(disks: readonly VmDisk[], name: string): Promise<VmDisk> {
  const byId = disks.filter(({ id }) => id === name);
  let found = byId.length === 1 ? byId : matching(disks, name);
  if (found.length === 0) found = await matchingFiles(disks, name);
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  const message =
    first === undefined
      ? `the VM has no disk ${JSON.stringify(name)}; it has ${list(disks)}`
      : `${JSON.stringify(name)} fits ${found.length} disks: ${list(found)}`;
  throw new CbtError('ERR_CBT_INVALID_ARGUMENT', message, { disk: name });
}

const KINDS: readonly ((disk: Named, name: string) => boolean)[] = [
  (disk, name) => disk.deviceId === name,
  (disk, name) => deviceNames(disk).includes(name),
  (disk, name) => nodesOf(disk).includes(name),
  (disk, name) => disk.files?.includes(name) ?? false,
];

/** Disks that the name fits, by the first kind of name that fits any. Of several, one that can be tracked wins. */
function matching<D extends Named>(disks: readonly D[], name: string): D[] {
  for (const fits of KINDS) {
    const found = disks.filter((disk) => fits(disk, name));
    if (found.length > 0) return preferTrackable(found);
  }
  return [];
}

function preferTrackable<D extends Named>(found: D[]): D[] {
  const trackable = found.filter((disk) => disk.trackable);
  return trackable.length === 1 ? trackable : found;
}

/** The same file under another path (relative, through a link): same device and inode. */
async function matchingFiles(disks: readonly VmDisk[], path: string): Promise<VmDisk[]> {
  const wanted = await inodeOf(path);
  if (wanted === null) return [];
  const checked = await Promise.all(
    disks.map(async (disk) => {
      // A relative name is relative to QEMU's folder, which is not known here.
      const inodes = await Promise.all((disk.files ?? []).filter((f) => f.startsWith('/')).map(inodeOf));
      return inodes.includes(wanted);
    }),
  );
  return preferTrackable(disks.filter((_, index) => checked[index]));
}

async function inodeOf(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

function nodesOf(disk: Named): string[] {
  return disk.formatNode === undefined ? [] : [...(disk.filtersAbove ?? []), disk.formatNode];
}

/**
 * An id is also known by its QOM path. What a device makes of itself hangs below it (".../vd0/virtio-backend",
 * ".../stick/stick.0/legacy[0]") and is known by the device's id.
 */
function deviceNames(disk: Named): string[] {
  const { qdevPath } = disk;
  if (qdevPath === undefined) return [];
  const owned = devicePart(disk).flatMap((id) => [id, `/machine/peripheral/${id}`]);
  const device = qdevPath.replace(/\/virtio-backend$/, '');
  return [...owned, qdevPath, device, device.slice(device.lastIndexOf('/') + 1)];
}

/** The id its owner gave the device; devices without one are numbered by QEMU, and such a number may move. */
function devicePart({ qdevPath }: Named): string[] {
  if (qdevPath === undefined) return [];
  if (!qdevPath.startsWith('/')) return [qdevPath];
  const named = /^\/machine\/peripheral\/([^/]+)/.exec(qdevPath)?.[1];
  return named === undefined ? [] : [named];
}

function list(disks: readonly VmDisk[]): string {
  if (disks.length === 0) return 'none';
  return disks
    .map((disk) => {
      const facts = [
        disk.deviceId,
        disk.qdevPath,
        disk.formatNode === undefined ? undefined : `node ${disk.formatNode}`,
        disk.filename,
        disk.trackable ? undefined : `not trackable: ${disk.why}`,
      ].filter((fact) => fact !== undefined && fact !== '' && fact !== disk.id);
      return facts.length === 0 ? disk.id : `${disk.id} (${facts.join(', ')})`;
    })
    .join('; ');
}
