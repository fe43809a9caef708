/**
 * Reads a backing chain from the top down, each layer from the file that the one above names. A layer that cannot be read
 * ends the chain and is told only to those who need it; a chain that bites its own tail, or a file that somebody writes
 * to, is refused at once.
 */
import type { BitmapKernel } from '../../core/bitmapKernel.js';
import { CbtError, throwIfAborted } from '../../core/errors.js';
import { resolveBackingFile } from './backing/backingName.js';
import { corrupt, faultError, unsupported } from './faults.js';
import { type ImageFormat, probeFormat, requireFormat } from './formatProbe.js';
import { type ImageLayer, rawLayer, unreadableLayer } from './layer.js';
import type { OpenFiles } from './openFiles.js';
import { openParallelsSource, parallelsLayer } from './parallelsBacking.js';
import { type BackingReference, readQcow2Layer } from './qcow2/qcow2Layer.js';
import { WriterGuard } from './writerGuard.js';

/** Longest chain that is followed; far above what QEMU can open in practice. */
export const MAX_LAYERS = 200;

export interface ImageChain {
  /** Top layer first. */
  layers: readonly [ImageLayer, ...ImageLayer[]];
  /** Watches every file of the chain since before it was read. */
  guard: WriterGuard;
}

export interface ChainReader {
  files: OpenFiles;
  kernel: BitmapKernel;
  signal?: AbortSignal | undefined;
}

interface Found {
  path: string;
  /** Null to tell it from the file, as QEMU probes. */
  format: string | null;
}

export async function readChain(
  reader: ChainReader,
  top: { path: string; format: ImageFormat },
): Promise<ImageChain> {
  const guard = new WriterGuard(reader.kernel);
  const visited = new Map<string, string>();
  const first = await readLayer(reader, guard, visited, top);
  const layers: [ImageLayer, ...ImageLayer[]] = [first.layer];
  let above = first.layer.state;
  let backing = first.backing;
  while (backing !== null) {
    throwIfAborted(reader.signal);
    const reference: BackingReference = backing;
    const { label, sizeBytes } = above;
    if (layers.length >= MAX_LAYERS) {
      throw faultError(
        top.path,
        unsupported('length of the backing chain', 'more', `at most ${MAX_LAYERS} layers`),
      );
    }
    let next: { layer: ImageLayer; backing: BackingReference | null };
    try {
      const found = resolveBackingFile(label, reference.name, reference.format);
      next = await readLayer(reader, guard, visited, found);
    } catch (error) {
      if (!(error instanceof CbtError) || !concernsOneLayer(error)) throw error;
      const why = asBackingError(label, error);
      next = { layer: unreadableLayer(reference.name.toString(), sizeBytes, why), backing: null };
    }
    layers.push(next.layer);
    above = next.layer.state;
    backing = next.backing;
  }
  return { layers, guard };
}

/** Loops, writers and our own faults concern the disk as a whole. */
export function concernsOneLayer(error: CbtError): boolean {
  if (error.reason === 'BUSY' || error.details['field'] === LOOP) return false;
  return (
    error.code === 'ERR_CBT_CORRUPT_IMAGE' ||
    error.code === 'ERR_CBT_UNSUPPORTED' ||
    error.code === 'ERR_CBT_BACKEND_UNAVAILABLE' ||
    error.code === 'ERR_CBT_INVALID_ARGUMENT'
  );
}

/** The image named the file, not the caller: what it names can be no argument of his. */
function asBackingError(overlay: string, error: CbtError): CbtError {
  if (error.code !== 'ERR_CBT_INVALID_ARGUMENT') return error;
  return new CbtError('ERR_CBT_UNSUPPORTED', `backing file of ${overlay}: ${error.message}`, {
    details: error.details,
    cause: error,
  });
}

const LOOP = 'backing chain';

async function readLayer(
  reader: ChainReader,
  guard: WriterGuard,
  visited: Map<string, string>,
  { path, format }: Found,
): Promise<{ layer: ImageLayer; backing: BackingReference | null }> {
  const { files, kernel, signal } = reader;
  const file = await files.open(path);
  const before = visited.get(file.identity);
  if (before !== undefined) {
    throw faultError(path, corrupt(LOOP, `a loop: ${before} is its own backing file`, 'without one'));
  }
  visited.set(file.identity, path);
  const snapshot = await guard.add(file);
  const known = format === null ? await probeFormat(snapshot, signal) : requireFormat(path, format);
  switch (known) {
    case 'qcow2':
      return readQcow2Layer(snapshot, guard, kernel, signal);
    case 'raw':
      return { layer: rawLayer(snapshot, kernel), backing: null };
    case 'parallels': {
      const source = await files.openSource(path, () => openParallelsSource(path, kernel, signal));
      return { layer: await parallelsLayer(source, kernel, signal), backing: null };
    }
  }
}
