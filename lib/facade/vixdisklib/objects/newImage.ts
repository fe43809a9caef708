/** Making image files, through qemu-img: they have their names when they are whole, and take nobody's place. */
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { throwIfAborted } from '../../../core/errors.js';
import { qemuImg } from '../../../host/imageTool.js';
import { holdFree, requireNoHolder } from '../../../host/unused.js';
import { moveToFreeName } from '../../../linux/freeName.js';
import { syncFile, syncFolder } from '../../../linux/stable.js';
import { type FileId, removeSame } from '../../../linux/target.js';
import { writeWholeFile } from '../../../linux/wholeFile.js';
import { VIX_E_FILE_ALREADY_EXISTS, VIX_E_NOT_SUPPORTED } from '../constants/codes.js';
import * as v from '../constants/values.js';
import { VixFailure } from '../errors.js';
import { library } from '../library.js';
import type { VixDiskLibCreateParams } from '../types.js';
import { formatOf, nameOf, readImageInfo, requireFree } from './image.js';

interface NewFormat {
  format: string;
  options: string[];
  /** The data is in files of their own beside the one that is named. */
  inParts: boolean;
}

/** Format and options for a new image, from its name and disk type. */
function newFormat(file: string, diskType: number): NewFormat {
  const format = formatOf(file);
  if (format === 'qcow2' || format === 'raw') return { format, options: [], inParts: false };
  if (format !== 'vmdk')
    throw new VixFailure(VIX_E_NOT_SUPPORTED, `${file}: images of format ${format} are not made here`);
  const subformat: Readonly<Record<number, string>> = {
    [v.VIXDISKLIB_DISK_MONOLITHIC_SPARSE]: 'monolithicSparse',
    [v.VIXDISKLIB_DISK_MONOLITHIC_FLAT]: 'monolithicFlat',
    [v.VIXDISKLIB_DISK_SPLIT_SPARSE]: 'twoGbMaxExtentSparse',
    [v.VIXDISKLIB_DISK_SPLIT_FLAT]: 'twoGbMaxExtentFlat',
    [v.VIXDISKLIB_DISK_STREAM_OPTIMIZED]: 'streamOptimized',
  };
  const wanted = subformat[diskType];
  if (wanted === undefined)
    throw new VixFailure(VIX_E_NOT_SUPPORTED, `disk type ${diskType} cannot be made here`);
  return { format: 'vmdk', options: ['-o', `subformat=${wanted}`], inParts: /flat|Extent/i.test(wanted) };
}

export async function createImage(
  file: string,
  params: VixDiskLibCreateParams,
  sizeBytes: number,
): Promise<void> {
  await requireFree(file);
  await requireNoExtents(file);
  const { format, options, inParts } = newFormat(file, params.diskType);
  const { signal } = library();
  const create = async (path: string): Promise<void> => {
    await qemuImg(['create', '-q', '-f', format, ...options, '--', path, String(sizeBytes)], { signal });
  };
  if (inParts) await createInParts(file, create);
  else
    await writeWholeFile(file, (_, unfinished) => create(unfinished), {
      existing: 'refuse',
      long: true,
      signal,
    });
}

/** The parts find each other by name, so they are made with their names, in a folder of their own. The one that is named comes last. */
async function createInParts(file: string, create: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(`${file}.`);
  const moved: [path: string, id: FileId][] = [];
  try {
    const name = basename(file);
    await create(join(folder, name));
    throwIfAborted(library().signal);
    const parts = (await readdir(folder)).filter((part) => part !== name);
    for (const part of [...parts, name]) {
      const [from, to] = [join(folder, part), join(dirname(file), part)];
      await syncFile(from);
      const id = await lstat(from, { bigint: true });
      await moveToFreeName(from, to);
      moved.push([to, id]);
    }
    await syncFolder(dirname(file));
  } catch (error) {
    for (const [path, id] of moved) await removeSame(path, id);
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** A new image over a parent. */
export async function createChild(parent: string, child: string): Promise<void> {
  await requireFree(child);
  const { format, sizeBytes } = await readImageInfo(parent);
  const own = formatOf(child);
  if (own !== 'qcow2' && own !== 'vmdk')
    throw new VixFailure(VIX_E_NOT_SUPPORTED, `a child of format ${own} is not made here`);
  await writeWholeFile(
    child,
    // Unsafe means that the parent is not opened: it has been.
    (_, unfinished) =>
      qemuImg([
        'create',
        '-q',
        '-u',
        '-f',
        own,
        '-b',
        parent,
        '-F',
        format,
        '--',
        unfinished,
        String(sizeBytes),
      ]),
    { existing: 'refuse', long: true },
  );
}

/**
 * The disk's content in a new image. A target that is there stays unless it is to be overwritten, and always where a VM uses it or it is
 * a layer of the disk.
 */
export async function cloneImage(
  from: string,
  to: string,
  params: VixDiskLibCreateParams,
  overwrite: boolean,
): Promise<void> {
  if (!overwrite) await requireFree(to);
  const { files } = await readImageInfo(from);
  const target = newFormat(to, params.diskType);
  if (target.inParts)
    throw new VixFailure(VIX_E_NOT_SUPPORTED, `${to}: a clone is one file, and this disk type has more`);
  await requireNoHolder(from, 'read');
  const { signal } = library();
  await writeWholeFile(
    to,
    async (_, unfinished) =>
      qemuImg(
        ['convert', '-q', '-O', target.format, ...target.options, '--', await nameOf(from), unfinished],
        { signal },
      ),
    { existing: overwrite ? 'replace' : 'refuse', requireFree: holdFree, keep: files, long: true, signal },
  );
}

/** Files of their own that a VMDK of this name would get: they are somebody's, and stay as they are. */
async function requireNoExtents(file: string): Promise<void> {
  const name = basename(file, extname(file));
  const extents = (await readdir(dirname(file))).filter(
    (other) => other.startsWith(`${name}-`) && /-(flat|[sf]\d{3})\.vmdk$/.test(other),
  );
  if (extents.length > 0)
    throw new VixFailure(VIX_E_FILE_ALREADY_EXISTS, `${extents.join(', ')} beside ${file} is there already`);
}
