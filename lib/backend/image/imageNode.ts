/**
 * An image as QEMU is to be told it: every file of its stack with its driver, so that no header is left to say anything.
 * QEMU then opens the files that were read and checked here, and no other; nothing but regular files and block devices.
 */
import { CbtError } from '../../core/errors.js';
import { resolveDataFile } from './backing/backingName.js';
import { corrupt, faultError, unsupported } from './faults.js';
import { foreignNode, isForeign } from './foreign/foreignNode.js';
import { listedSteps } from './listedSteps.js';
import { type FileNode, fileNode, type ImageNode } from './node.js';
import { OpenFiles } from './openFiles.js';
import { requireAlone } from './parallels/diskFiles.js';
import { findFolder } from './place.js';
import { below, requireTold, type StackFile, StackWalk, stepTo } from './walkStack.js';
import { UNWATCHED } from './writerGuard.js';

export type { ImageNode } from './node.js';

export interface ImageNodeOptions {
  /** Any that QEMU reads; told from the bytes unless given. */
  format?: string | undefined;
  trust?: boolean | undefined;
  /** What the image has not got itself reads as zeros; nothing below is looked at. */
  withoutBacking?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Throws where a file of the stack cannot be read, or may not be followed; what QEMU itself would refuse is for it to say. */
export async function imageNode(path: string, options: ImageNodeOptions = {}): Promise<ImageNode> {
  const { format = null, withoutBacking = false, signal } = options;
  const files = new OpenFiles();
  try {
    if (format !== null && isForeign(format)) return await foreignNode(path, format, files, withoutBacking);
    const nodes: ImageNode[] = [];
    const walk = new StackWalk({ ...options, files }, UNWATCHED);
    const folder = await findFolder(path, format);
    const steps = folder === null ? [stepTo({ path, format })] : (await listedSteps(folder, signal)).steps;
    for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
      const file = await walk.open(step.find());
      if (folder === null && file.format === 'parallels') await requireAlone(file.path, signal);
      nodes.push(await nodeOf(file, files));
      if (withoutBacking) break;
      const named = below(file);
      if (named !== null) steps.unshift(named);
    }
    const [lowest, ...above] = nodes.reverse();
    if (lowest === undefined) throw new CbtError('ERR_CBT_INTERNAL', `${path} has no layer`);
    return above.reduce((backing, node): ImageNode => ({ ...node, backing }), lowest);
  } catch (error) {
    throw error instanceof CbtError ? error.about(path) : error;
  } finally {
    await files.close();
  }
}

/** The files of the stack, the top first. */
export async function imageFiles(path: string, options: ImageNodeOptions = {}): Promise<string[]> {
  const paths: string[] = [];
  let node: ImageNode | null | undefined = await imageNode(path, options);
  for (; node != null; node = node.backing) paths.push(node.file.filename);
  return paths;
}

async function nodeOf(file: StackFile, files: OpenFiles): Promise<ImageNode> {
  const { format, snapshot, head } = file;
  if (head === null) return { driver: format, file: fileNode(snapshot.file) };
  const { encryption, externalData } = head.header;
  if (encryption !== 'none') {
    const limit = 'none: without its key the data cannot be read here. Ask the QEMU that has the key';
    throw faultError(file.path, unsupported('encryption', encryption, limit));
  }
  const node: ImageNode = { driver: format, file: fileNode(snapshot.file), backing: null };
  return externalData ? { ...node, 'data-file': await dataFileOf(file, files) } : node;
}

async function dataFileOf(top: StackFile, files: OpenFiles): Promise<FileNode> {
  const name = top.head?.extensions.dataFile ?? Buffer.alloc(0);
  requireTold(top, `data file ${JSON.stringify(name.toString())}`);
  const file = await files.open(resolveDataFile(top.path, name));
  const { sizeBytes } = await file.snapshot();
  const { rawData, sizeBytes: diskBytes } = top.head?.header ?? { rawData: false, sizeBytes: 0 };
  // What is not there would read as zeros.
  if (rawData && sizeBytes < diskBytes)
    throw faultError(file.path, corrupt('size of the raw data file', sizeBytes, `at least ${diskBytes}`));
  return fileNode(file);
}
