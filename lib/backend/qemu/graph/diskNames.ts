/**
 * By which names a disk of a VM is found, and which of them is shown. A name is looked for among those that QEMU has word for
 * word before it is taken for another form of one; a name that fits two disks is refused, never guessed about.
 *
 *   id         the one name of the disk that is shown
 *   exact      as its owner calls it · block backend (-drive id) · guest device as QEMU names it, or its id · node: image, or a filter above it · file
 *   otherwise  QOM path of an id, a QOM path's last part · the same file by another path
 *
 * Whoever knows what kind of name he has uses the look-up of that kind: a node of one disk may be called as another's device.
 */
import { CbtError } from '../../../core/errors.js';
import { fileIdentity } from '../../../linux/fileIdentity.js';
import type { UnnamedDisk, VmDisk } from './vmDisk.js';

type Named = UnnamedDisk | VmDisk;

/** Gives every disk an id: the most lasting of its names that finds this disk and no other. */
export function nameDisks(disks: readonly UnnamedDisk[]): VmDisk[] {
  return disks.map((disk, index) => {
    const candidates = [
      ...(disk.ownName === undefined ? [] : [disk.ownName]),
      ...devicePart(disk),
      ...(disk.deviceId === undefined ? [] : [disk.deviceId]),
      ...nodesOf(disk)
        .reverse()
        .filter((node) => !node.startsWith('#')),
      ...(disk.filename === undefined || disk.filename.startsWith('json:') ? [] : [disk.filename]),
      ...(disk.qdevPath === undefined ? [] : [disk.qdevPath]),
    ];
    const id = candidates.find((name) => {
      const found = fitting(disks, name);
      return found.length === 1 && found[0] === disk;
    });
    return { ...disk, id: id ?? numbered(disks, index) };
  });
}

/** For a disk whose every name fits another one too: its place in QEMU's list, which nothing else is called. */
function numbered(disks: readonly UnnamedDisk[], index: number): string {
  let id = `disk#${index}`;
  while (fitting(disks, id).length > 0) id += '+';
  return id;
}

/** The disk of that name, of whatever kind. Throws ERR_CBT_INVALID_ARGUMENT listing what there is, or what the name fits. */
export async function findDisk(disks: readonly VmDisk[], name: string): Promise<VmDisk> {
  const byId = disks.filter(({ id }) => id === name);
  if (byId.length === 1 && byId[0] !== undefined) return byId[0];
  const named = fitting(disks, name);
  const found = named.length > 0 ? named : await fittingFiles(disks, name);
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  const message =
    first === undefined
      ? `the VM has no disk ${JSON.stringify(name)}; it has ${list(disks)}`
      : `${JSON.stringify(name)} fits ${found.length} disks: ${list(found)}`;
  throw new CbtError('ERR_CBT_INVALID_ARGUMENT', message, { disk: name });
}

/** The disk whose image is this node now; null where the node is none, or is one no more. */
export function findByNode(disks: readonly VmDisk[], node: string): VmDisk | null {
  return oneOf(disks.filter(({ formatNode }) => formatNode === node));
}

/**
 * The disk that was met as `known` before: the same device, whatever image it has by now, where its owner named it; else the
 * same node, or file. Its id would not do: another disk that came since may have the better right to that name.
 */
export function findAgain(disks: readonly VmDisk[], known: VmDisk): VmDisk | null {
  const { deviceId, formatNode, filename, id } = known;
  const [part] = devicePart(known);
  if (deviceId !== undefined || part !== undefined)
    return oneOf(disks.filter((disk) => disk.deviceId === deviceId && devicePart(disk)[0] === part));
  const byNode = formatNode === undefined ? null : findByNode(disks, formatNode);
  return byNode ?? oneOf(disks.filter((disk) => id === filename && disk.filename === filename));
}

function oneOf(found: readonly VmDisk[]): VmDisk | null {
  const [disk] = preferTrackable(found);
  return disk !== undefined && preferTrackable(found).length === 1 ? disk : null;
}

/** Disks that the name fits: word for word, or else in another form. */
function fitting<D extends Named>(disks: readonly D[], name: string): D[] {
  for (const namesOf of [exactNames, otherForms]) {
    const found = disks.filter((disk) => namesOf(disk).includes(name));
    if (found.length > 0) return preferTrackable(found);
  }
  return [];
}

/** Several devices on one node are one image, which is tracked through one of them. */
function preferTrackable<D extends Named>(found: readonly D[]): D[] {
  const trackable = found.filter((disk) => disk.trackable);
  const [node] = found.map(({ formatNode }) => formatNode);
  const shared = node !== undefined && found.every(({ formatNode }) => formatNode === node);
  return shared && trackable.length === 1 ? trackable : [...found];
}

/** The same file under another path (relative, through a link). */
async function fittingFiles(disks: readonly VmDisk[], path: string): Promise<VmDisk[]> {
  const wanted = await fileIdentity(path);
  if (wanted === null) return [];
  const checked = await Promise.all(
    disks.map(async (disk) => {
      // A relative name is relative to QEMU's folder, which is not known here.
      const files = (disk.files ?? []).filter((file) => file.startsWith('/'));
      return (await Promise.all(files.map(fileIdentity))).includes(wanted);
    }),
  );
  return preferTrackable(disks.filter((_, index) => checked[index]));
}

function exactNames(disk: Named): string[] {
  const { ownName, deviceId, qdevPath, files = [] } = disk;
  return [ownName, deviceId, qdevPath, ...devicePart(disk), ...nodesOf(disk), ...files].filter(
    (name) => name !== undefined,
  );
}

/**
 * An id is also known by its QOM path. What a device makes of itself hangs below it (".../vd0/virtio-backend",
 * ".../stick/stick.0/legacy[0]") and is known by the device's id.
 */
function otherForms(disk: Named): string[] {
  const { qdevPath } = disk;
  if (qdevPath === undefined) return [];
  const device = qdevPath.replace(/\/virtio-backend$/, '');
  const paths = devicePart(disk).map((id) => `/machine/peripheral/${id}`);
  return [...paths, device, device.slice(device.lastIndexOf('/') + 1)];
}

function nodesOf(disk: Named): string[] {
  return disk.formatNode === undefined ? [] : [...(disk.filtersAbove ?? []), disk.formatNode];
}

/** The id its owner gave the device; devices without one are numbered by QEMU, and such a number may move. */
export function devicePart({ qdevPath }: { qdevPath?: string | undefined }): string[] {
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
