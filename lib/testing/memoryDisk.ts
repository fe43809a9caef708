/**
 * A disk in memory that records writes as QEMU does: content in blocks that are replaced and never changed, so that an instant of it costs nothing, and
 * dirty bitmaps that every write marks.
 */
import type { BitmapAction } from '../core/chainPlan.js';
import type { BitmapInfo, DiskState, LayerState } from '../core/diskSource.js';
import { CbtError, invalidArgument } from '../core/errors.js';
import { checkByteCount, type Ranges } from '../core/rangePage.js';

export const BLOCK_BYTES = 65_536;
/** QEMU's choice for images of clusters of that size. */
const DEFAULT_GRANULARITY = 65_536;
const MAX_NAME_BYTES = 1023;

interface Bitmap {
  granularityBytes: number;
  dirty: Set<number>;
  recording: boolean;
  inconsistent: boolean;
}

/** Blocks that hold data, by number; what is not there reads as zeros. */
export type Content = ReadonlyMap<number, Buffer>;

/** How a disk is made. */
export interface MemoryDiskOptions {
  sizeBytes: number;
  /** `raw`: bitmaps end with the process. */
  format: 'qcow2' | 'raw';
  /** The image below it. */
  backing?: MemoryDisk | undefined;
}

export class MemoryDisk {
  readonly name: string;
  readonly format: 'qcow2' | 'raw';
  readonly backing: MemoryDisk | null;
  #sizeBytes: number;
  #content = new Map<number, Buffer>();
  readonly #bitmaps = new Map<string, Bitmap>();

  constructor(name: string, { sizeBytes, format, backing }: MemoryDiskOptions) {
    checkSize(sizeBytes);
    this.name = name;
    this.format = format;
    this.backing = backing ?? null;
    this.#sizeBytes = sizeBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get filename(): string {
    return `/memory/${this.name}.${this.format}`;
  }

  /** As the guest writes. */
  write(offset: number, data: Uint8Array): void {
    this.#within(offset, data.length);
    for (let at = 0; at < data.length; ) {
      const block = Math.floor((offset + at) / BLOCK_BYTES);
      const start = (offset + at) % BLOCK_BYTES;
      const part = data.subarray(at, at + BLOCK_BYTES - start);
      const old = readBlock(this.#content, this.backing?.content() ?? EMPTY, block);
      const made = Buffer.alloc(BLOCK_BYTES);
      if (old !== null) old.copy(made);
      made.set(part, start);
      this.#content.set(block, made);
      at += part.length;
    }
    this.#mark(offset, data.length);
  }

  /** Makes a range read as zeros. */
  zero(offset: number, length: number): void {
    this.#within(offset, length);
    for (let at = offset; at < offset + length; ) {
      const until = Math.min(offset + length, (Math.floor(at / BLOCK_BYTES) + 1) * BLOCK_BYTES);
      const block = Math.floor(at / BLOCK_BYTES);
      if (until - at === BLOCK_BYTES && this.backing === null) this.#content.delete(block);
      else this.#zeroPart(block, at % BLOCK_BYTES, until - at);
      at = until;
    }
    this.#mark(offset, length);
  }

  /** Cuts it off or makes it longer, as QEMU does: bits behind a new end are dropped, and new room is no change. */
  resize(sizeBytes: number): void {
    checkSize(sizeBytes);
    if (sizeBytes < this.#sizeBytes) {
      for (const block of this.#content.keys())
        if (block * BLOCK_BYTES >= sizeBytes) this.#content.delete(block);
      const rest = sizeBytes % BLOCK_BYTES;
      if (rest > 0) this.#zeroPart(Math.floor(sizeBytes / BLOCK_BYTES), rest, BLOCK_BYTES - rest, false);
      for (const { dirty, granularityBytes } of this.#bitmaps.values())
        for (const granule of dirty) if (granule * granularityBytes >= sizeBytes) dirty.delete(granule);
    }
    this.#sizeBytes = sizeBytes;
  }

  /** The bytes, of an instant where it is given. */
  bytes(offset: number, length: number, content: Content = this.#content): Buffer {
    const made = Buffer.alloc(length);
    const below = this.backing?.content() ?? EMPTY;
    for (let at = 0; at < length; ) {
      const start = (offset + at) % BLOCK_BYTES;
      const size = Math.min(BLOCK_BYTES - start, length - at);
      const block = readBlock(content, below, Math.floor((offset + at) / BLOCK_BYTES));
      block?.copy(made, at, start, start + size);
      at += size;
    }
    return made;
  }

  /** An instant of the content. */
  content(): Content {
    return new Map(this.#content);
  }

  /** What the layer itself holds, as ranges. */
  allocated(content: Content = this.#content, sizeBytes = this.#sizeBytes): Ranges {
    return rangesOf(content.keys(), BLOCK_BYTES, sizeBytes);
  }

  /** What a bitmap says, as ranges; null where it is not there. */
  dirty(name: string): Ranges | null {
    const bitmap = this.#bitmaps.get(name);
    return bitmap === undefined ? null : rangesOf(bitmap.dirty, bitmap.granularityBytes, this.#sizeBytes);
  }

  state(live: boolean): DiskState {
    const layers: LayerState[] = [this.#layer()];
    for (let below = this.backing; below !== null; below = below.backing) layers.push(below.#layer());
    return { disk: this.name, sizeBytes: this.#sizeBytes, live, layers };
  }

  /** What QEMU would refuse of them, before any is carried out. */
  requireActions(actions: readonly BitmapAction[]): void {
    const names = new Set(this.#bitmaps.keys());
    // What is removed goes at the end of a transaction: until then its name is taken.
    const removed = new Set<string>();
    const require = (name: string): void => {
      if (!names.has(name) || removed.has(name)) throw refused(this.name, `there is no bitmap ${name}`);
    };
    for (const action of actions) {
      if (action.kind === 'add') {
        if (names.has(action.name)) throw refused(this.name, `there is a bitmap ${action.name} already`);
        this.#requireForm(action.name, action.granularityBytes ?? DEFAULT_GRANULARITY);
        names.add(action.name);
      } else if (action.kind === 'merge') {
        const { target, sources, below = [] } = action;
        if (sources.length + below.length === 0)
          throw refused(this.name, `merge into bitmap ${target} names no source`);
        for (const name of [target, ...sources]) require(name);
        for (const { layer, name } of below) this.#layerBelow(layer).#bitmap(name);
      } else {
        require(action.name);
        if (action.kind === 'remove') removed.add(action.name);
      }
    }
  }

  apply(actions: readonly BitmapAction[]): void {
    for (const action of actions) {
      if (action.kind === 'add')
        this.#bitmaps.set(action.name, {
          granularityBytes: action.granularityBytes ?? DEFAULT_GRANULARITY,
          dirty: new Set(),
          recording: !action.disabled,
          inconsistent: false,
        });
      else if (action.kind === 'remove') this.#bitmaps.delete(action.name);
      else if (action.kind === 'disable') this.#bitmap(action.name).recording = false;
      else {
        const below = (action.below ?? []).map(({ layer, name }) => this.#layerBelow(layer).#bitmap(name));
        for (const source of [...action.sources.map((name) => this.#bitmap(name)), ...below])
          this.#merge(this.#bitmap(action.target), source);
      }
    }
  }

  /** Somebody takes a bitmap away: the newest of ours unless it is named. */
  loseBitmap(name?: string): void {
    const found = name ?? [...this.#bitmaps].findLast(([, { recording }]) => recording)?.[0];
    if (found === undefined || !this.#bitmaps.delete(found))
      throw invalidArgument(
        'name',
        name,
        `a bitmap of ${this.name}: ${[...this.#bitmaps.keys()].join(', ') || 'it has none'}`,
      );
  }

  /** Somebody else's bitmap, which records from now on. */
  addBitmap(name: string, granularityBytes = DEFAULT_GRANULARITY, disabled = false): void {
    this.requireActions([{ kind: 'add', name, granularityBytes, disabled }]);
    this.apply([{ kind: 'add', name, granularityBytes, disabled }]);
  }

  /** Its process ended: in order, or killed. What was in memory only is gone; a bitmap that nobody stored is not to be believed. */
  processEnded(inOrder: boolean): void {
    if (this.format === 'raw') this.#bitmaps.clear();
    else if (!inOrder)
      for (const bitmap of this.#bitmaps.values()) {
        bitmap.inconsistent = true;
        bitmap.recording = false;
      }
  }

  #requireForm(name: string, granularityBytes: number): void {
    const bytes = Buffer.byteLength(name);
    if (bytes < 1 || bytes > MAX_NAME_BYTES)
      throw refused(this.name, `a bitmap's name has ${bytes} bytes, of 1 to ${MAX_NAME_BYTES}`);
    const power = Math.log2(granularityBytes);
    if (!Number.isInteger(power) || granularityBytes < 512 || granularityBytes > 2 ** 31)
      throw refused(
        this.name,
        `a granularity of ${granularityBytes} bytes is no power of two from 512 to 2^31`,
      );
  }

  #layerBelow(index: number): MemoryDisk {
    let layer: MemoryDisk | null = this;
    for (let at = 0; at < index; at += 1) layer = layer?.backing ?? null;
    if (layer === null) throw refused(this.name, `it has no layer ${index}`);
    return layer;
  }

  #layer(): LayerState {
    const bitmaps = [...this.#bitmaps].map(([name, bitmap]): BitmapInfo => {
      const { granularityBytes, dirty, recording, inconsistent } = bitmap;
      const dirtyBytes = Math.min(dirty.size * granularityBytes, this.#sizeBytes);
      const persistent = this.format === 'qcow2';
      return { name, granularityBytes, recording, inconsistent, persistent, busy: false, dirtyBytes };
    });
    return {
      label: this.filename,
      sizeBytes: this.#sizeBytes,
      format: this.format,
      bitmaps,
      volatile: this.format === 'raw',
    };
  }

  #mark(offset: number, length: number): void {
    if (length === 0) return;
    for (const { granularityBytes, dirty, recording } of this.#bitmaps.values()) {
      if (!recording) continue;
      const last = Math.floor((offset + length - 1) / granularityBytes);
      for (let granule = Math.floor(offset / granularityBytes); granule <= last; granule += 1)
        dirty.add(granule);
    }
  }

  #merge(target: Bitmap, source: Bitmap): void {
    for (const granule of source.dirty) {
      const from = granule * source.granularityBytes;
      const last = Math.floor((from + source.granularityBytes - 1) / target.granularityBytes);
      for (let one = Math.floor(from / target.granularityBytes); one <= last; one += 1) target.dirty.add(one);
    }
  }

  #zeroPart(block: number, start: number, length: number, make = true): void {
    const old = readBlock(this.#content, this.backing?.content() ?? EMPTY, block);
    if (old === null && !make) return;
    const made = Buffer.from(old ?? Buffer.alloc(BLOCK_BYTES));
    made.fill(0, start, start + length);
    this.#content.set(block, made);
  }

  #bitmap(name: string): Bitmap {
    const found = this.#bitmaps.get(name);
    if (found === undefined) throw refused(this.name, `there is no bitmap ${name}`);
    return found;
  }

  #within(offset: number, length: number): void {
    checkByteCount('offset', offset);
    checkByteCount('length', length);
    if (offset + length > this.#sizeBytes)
      throw invalidArgument('offset', `${offset}+${length}`, `within the disk of ${this.#sizeBytes} bytes`);
  }
}

const EMPTY: Content = new Map();

/** The block as it reads; null where nothing is. */
export function readBlock(content: Content, below: Content, block: number): Buffer | null {
  return content.get(block) ?? below.get(block) ?? null;
}

/** Numbers of granules as ranges. */
function rangesOf(granules: Iterable<number>, granularityBytes: number, sizeBytes: number): Ranges {
  const flat: number[] = [];
  for (const granule of [...granules].sort((a, b) => a - b)) {
    const offset = granule * granularityBytes;
    const length = Math.min(granularityBytes, sizeBytes - offset);
    if (length <= 0) continue;
    if ((flat.at(-2) ?? -1) + (flat.at(-1) ?? 0) === offset)
      flat[flat.length - 1] = (flat.at(-1) ?? 0) + length;
    else flat.push(offset, length);
  }
  return Float64Array.from(flat);
}

function checkSize(sizeBytes: number): void {
  checkByteCount('sizeBytes', sizeBytes);
  if (sizeBytes % 512 !== 0) throw invalidArgument('sizeBytes', sizeBytes, 'a multiple of 512');
}

function refused(disk: string, why: string): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${disk}: ${why}`, { disk });
}
