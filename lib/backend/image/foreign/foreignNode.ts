/**
 * Images in formats that only QEMU reads, by a name that somebody said. Those that name no other file are handed to it as
 * they are; a VMDK is looked through first; any other that could name files is refused.
 */
import { CbtError } from '../../../core/errors.js';
import { resolveBackingFile } from '../backing/backingName.js';
import { corrupt, faultError, unsupported } from '../faults.js';
import { fileNode, type ImageNode } from '../node.js';
import type { OpenFiles } from '../openFiles.js';
import { MAX_LAYERS } from '../stack.js';
import { readVmdkParent } from './vmdk.js';

/** Formats of one file; differencing VHD and VHDX are refused by QEMU itself. */
const ALONE: ReadonlySet<string> = new Set(['vdi', 'vhdx', 'vpc', 'dmg', 'bochs', 'cloop']);

export function isForeign(format: string): boolean {
  return format === 'vmdk' || ALONE.has(format);
}

export async function foreignNode(
  path: string,
  format: string,
  files: OpenFiles,
  withoutBacking: boolean,
): Promise<ImageNode> {
  if (format !== 'vmdk') return { driver: format, file: fileNode(await files.open(path)) };
  const nodes: ImageNode[] = [];
  const seen = new Set<string>();
  let at: string | null = path;
  while (at !== null) {
    const file = await files.open(at);
    if (seen.has(file.identity))
      throw faultError(path, corrupt('parentFileNameHint', `a loop over ${at}`, 'without one'));
    seen.add(file.identity);
    if (nodes.length >= MAX_LAYERS)
      throw faultError(path, unsupported('number of parents', 'more', `at most ${MAX_LAYERS - 1}`));
    nodes.push({ driver: 'vmdk', file: fileNode(file), backing: null });
    const parent = await readVmdkParent(file, files);
    at = parent === null || withoutBacking ? null : resolveBackingFile(at, parent, 'vmdk').path;
  }
  const [lowest, ...above] = nodes.reverse();
  if (lowest === undefined) throw new CbtError('ERR_CBT_INTERNAL', `${path} has no layer`);
  return above.reduce((backing, node): ImageNode => ({ ...node, backing }), lowest);
}
