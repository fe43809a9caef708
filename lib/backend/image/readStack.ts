/**
 * Reads a stack from the top down: one way, whether a descriptor lists the files or each names the next. A layer that
 * cannot be read is told only to those who need it; a stack that bites its own tail, or a file that somebody writes to,
 * is refused at once.
 */
import { currentChain, readCatalogue } from '../../core/chain.js';
import { CbtError } from '../../core/errors.js';
import { findHiddenPart } from '../../core/layeredChain.js';
import { type ImageLayer, rawLayer, unreadableLayer } from './layer.js';
import { listedSteps } from './listedSteps.js';
import type { DiskFiles } from './parallels/diskFiles.js';
import { checkDiskSize, readParallels } from './parallels/readParallels.js';
import type { DiskPlace } from './place.js';
import { readQcow2Layer } from './qcow2/qcow2Layer.js';
import { concernsOneLayer, type ImageStack, isNotFollowed, type StackReader } from './stack.js';
import { below, type StackFile, StackWalk, type Step, stepTo } from './walkStack.js';
import { WriterGuard } from './writerGuard.js';

export async function readStack(reader: StackReader, place: DiskPlace): Promise<ImageStack> {
  const guard = new WriterGuard(reader.kernel);
  const walk = new StackWalk(reader, guard);
  const { listed, steps } = await findSteps(place, reader.signal);
  const readNext = async (step: Step): Promise<[ImageLayer, Step | null]> => {
    const file = await walk.open(step.find());
    return [await readLayer(reader, guard, file, listed), below(file)];
  };
  const [first, ...ahead] = steps;
  const [top, named] = await readNext(first);
  if (listed !== null) checkDiskSize(listed, top.state.sizeBytes);
  if (named !== null) ahead.unshift(named);
  const layers: [ImageLayer, ...ImageLayer[]] = [top];
  for (let step = ahead.shift(); step !== undefined; step = ahead.shift()) {
    try {
      const [layer, next] = await readNext(step);
      layers.push(layer);
      if (next !== null) ahead.unshift(next);
    } catch (error) {
      // What the bitmaps above say does not depend on it; whether a segment goes on in it is judged where the chain is.
      if (!(error instanceof CbtError) || !concernsOneLayer(error)) throw error;
      const { sizeBytes } = (layers.at(-1) ?? top).state;
      layers.push(unreadableLayer(step, sizeBytes, asBackingError(step, error)));
      if (isNotFollowed(error)) requireOwnPoints(layers, error);
    }
  }
  return { layers, guard };
}

interface Beginning {
  /** What the descriptor lists; null where there is none. */
  listed: DiskFiles | null;
  steps: [Step, ...Step[]];
}

/** The descriptor is read again for every question: a snapshot taken meanwhile has put another image on top. */
async function findSteps(place: DiskPlace, signal?: AbortSignal): Promise<Beginning> {
  if (place.kind === 'file') return { listed: null, steps: [stepTo(place)] };
  return listedSteps(place.folder, signal);
}

async function readLayer(
  { kernel, signal }: StackReader,
  guard: WriterGuard,
  file: StackFile,
  listed: DiskFiles | null,
): Promise<ImageLayer> {
  const { snapshot } = file;
  switch (file.format) {
    case 'qcow2':
      return readQcow2Layer(snapshot, file.head, guard, kernel, signal);
    case 'parallels':
      return readParallels(snapshot, listed, guard, kernel, signal);
    case 'raw':
      return rawLayer(snapshot, kernel);
  }
}

/** Without points in time above that surely began there, those of the files below are the disk's: not looking there is not knowing. */
function requireOwnPoints([top, ...more]: ImageStack['layers'], refused: CbtError): void {
  const layers = [top, ...more].map(({ state }) => state);
  const { label: disk, sizeBytes } = top.state;
  const state = { disk, sizeBytes, live: false, layers };
  const chain = currentChain(readCatalogue(state));
  if (chain === null || findHiddenPart(state, chain, chain.segments[0]) !== null) throw refused;
}

/** The image named the file, not the caller: what it names can be no argument of his. */
function asBackingError({ by }: Step, error: CbtError): CbtError {
  if (by === null || error.code !== 'ERR_CBT_INVALID_ARGUMENT' || isNotFollowed(error)) return error;
  return new CbtError('ERR_CBT_UNSUPPORTED', `backing file of ${by}: ${error.message}`, {
    details: error.details,
    cause: error,
  });
}
