/**
 * Reads a backing chain from the top down, each layer from the file that the one above names. A layer that cannot be read
 * ends the chain and is told only to those who need it; a chain that bites its own tail, or a file that somebody writes
 * to, is refused at once.
 */
import { currentChain, readCatalogue } from '../../core/chain.js';
import { CbtError } from '../../core/errors.js';
import { type ImageLayer, rawLayer, unreadableLayer } from './layer.js';
import { openParallelsSource, parallelsLayer } from './parallelsBacking.js';
import { readQcow2Layer } from './qcow2/qcow2Layer.js';
import {
  concernsWholeChain,
  isNotFollowed,
  type Named,
  type StackFile,
  type StackReader,
  walkStack,
} from './stack.js';
import { WriterGuard } from './writerGuard.js';

export interface ImageChain {
  /** Top layer first. */
  layers: readonly [ImageLayer, ...ImageLayer[]];
  /** Watches every file of the chain since before it was read. */
  guard: WriterGuard;
}

export async function readChain(reader: StackReader, top: Named): Promise<ImageChain> {
  const guard = new WriterGuard(reader.kernel);
  const files = walkStack(reader, guard, top);
  let above = await nextFile(files);
  if (above === null) throw new CbtError('ERR_CBT_INTERNAL', `${top.path} has no layer`);
  const layers: [ImageLayer, ...ImageLayer[]] = [await readLayer(reader, guard, above)];
  for (;;) {
    const [{ path, head }, overlay]: [StackFile, ImageLayer] = [above, layers.at(-1) ?? layers[0]];
    try {
      const file = await nextFile(files);
      if (file === null) return { layers, guard };
      layers.push(await readLayer(reader, guard, file));
      above = file;
    } catch (error) {
      if (!(error instanceof CbtError) || !concernsOneLayer(error)) throw error;
      if (isNotFollowed(error)) requireOwnChain(layers, error);
      const label = head?.backing?.name.toString() ?? '';
      layers.push(unreadableLayer(label, overlay.state.sizeBytes, asBackingError(path, error)));
      return { layers, guard };
    }
  }
}

async function nextFile(files: AsyncGenerator<StackFile, void, undefined>): Promise<StackFile | null> {
  const { value } = await files.next();
  return value ?? null;
}

/** Without points in time above, those of the files below are the disk's: not looking there is not knowing. */
function requireOwnChain([top, ...more]: readonly [ImageLayer, ...ImageLayer[]], refused: CbtError): void {
  const layers = [top, ...more].map(({ state }) => state);
  const { label: disk, sizeBytes } = top.state;
  if (currentChain(readCatalogue({ disk, sizeBytes, live: false, layers })) === null) throw refused;
}

/** Loops, writers and our own faults concern the disk as a whole. */
export function concernsOneLayer(error: CbtError): boolean {
  if (error.reason === 'BUSY' || concernsWholeChain(error)) return false;
  return (
    error.code === 'ERR_CBT_CORRUPT_IMAGE' ||
    error.code === 'ERR_CBT_UNSUPPORTED' ||
    error.code === 'ERR_CBT_BACKEND_UNAVAILABLE' ||
    error.code === 'ERR_CBT_INVALID_ARGUMENT'
  );
}

/** The image named the file, not the caller: what it names can be no argument of his. */
function asBackingError(overlay: string, error: CbtError): CbtError {
  if (error.code !== 'ERR_CBT_INVALID_ARGUMENT' || isNotFollowed(error)) return error;
  return new CbtError('ERR_CBT_UNSUPPORTED', `backing file of ${overlay}: ${error.message}`, {
    details: error.details,
    cause: error,
  });
}

async function readLayer(
  { files, kernel, signal }: StackReader,
  guard: WriterGuard,
  { path, snapshot, format, head }: StackFile,
): Promise<ImageLayer> {
  if (head !== null) return readQcow2Layer(snapshot, head, guard, kernel, signal);
  if (format === 'raw') return rawLayer(snapshot, kernel);
  const source = await files.openSource(path, () => openParallelsSource(path, kernel, signal));
  return parallelsLayer(source, kernel, signal);
}
