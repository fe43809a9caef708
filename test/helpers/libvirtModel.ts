/**
 * What libvirt does to the layers of a disk and the bitmaps on them, as its 9.0 was seen to do: a name counts from the top on, on layers
 * that follow each other, where it records on each; of such names the bits go along, whatever else a layer had goes with the layer.
 */
import type { ModelBitmap, ModelDisk, ModelLayer } from './modelDisk.js';

/** An external snapshot: what recorded goes on recording above, under its name. */
export function snapshot(disk: ModelDisk): void {
  settle(disk);
  const bitmaps = disk.top.bitmaps
    .filter(({ recording, inconsistent }) => recording && !inconsistent)
    .map(({ name }): ModelBitmap => ({ name, recording: true, inconsistent: false, blocks: new Set() }));
  disk.layers.unshift({ blocks: disk.top.blocks, bitmaps, content: new Map() });
}

/** blockcommit of the layers from `top` down to the one above `base` into `base`. */
export function commit(disk: ModelDisk, top: number, base: number): void {
  settle(disk);
  const goes = disk.layers.slice(top, base);
  const into = disk.layers[base]!;
  const bits = merged(disk, top, base);
  into.blocks = Math.max(into.blocks, goes[0]!.blocks);
  for (const [block, content] of flattened(goes)) {
    into.content.set(block, content);
    for (const bitmap of into.bitmaps) if (bitmap.recording) bitmap.blocks.add(block);
  }
  mergeInto(into, bits);
  disk.layers.splice(top, base - top);
}

/**
 * blockpull into the top of all layers above `base`; of all, where there is no such layer. QEMU lets go of the layers when its job has
 * completed; libvirt merges their bitmaps and removes them in `settle`.
 */
export function pull(disk: ModelDisk, base: number): void {
  settle(disk);
  const names = new Set(merged(disk, 0, base).keys());
  const goes = disk.layers.splice(1, base - 1);
  // What a pull writes is marked in no bitmap: it is what the guest saw anyway.
  disk.top.content = flattened([disk.top, ...goes]);
  disk.left = goes.map((layer) => ({
    ...layer,
    bitmaps: layer.bitmaps.map((bitmap) => ({ ...bitmap, merges: names.has(bitmap.name) })),
  }));
}

/** What libvirt does before any other step on the disk. */
export function settle(disk: ModelDisk): void {
  const goes = disk.left.flatMap(({ bitmaps }) => bitmaps).filter(({ merges }) => merges === true);
  for (const { name, blocks } of goes) mergeInto(disk.top, new Map([[name, blocks]]));
  disk.left = [];
}

/** blockcopy with pivot, of everything or of the top layer. */
export function copy(disk: ModelDisk, shallow: boolean): void {
  settle(disk);
  const end = shallow ? 1 : disk.layers.length;
  const bits = merged(disk, 0, end);
  const { blocks } = disk.top;
  const fresh: ModelLayer = { blocks, bitmaps: [], content: flattened(disk.layers.slice(0, end)) };
  mergeInto(fresh, bits);
  disk.layers.splice(0, end, fresh);
}

/** Back to the layer below, with what was written since thrown away. */
export function revert(disk: ModelDisk): void {
  settle(disk);
  if (disk.layers.length > 1) disk.layers.shift();
}

/** The bits of each name that counts, of the layers from `top` down to the one above `base`. */
function merged(disk: ModelDisk, top: number, base: number): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>();
  for (const { name } of disk.layers[top]!.bitmaps) {
    const all = disk.layers.slice(top).map(({ bitmaps }) => bitmaps.find((one) => one.name === name));
    const end = all.indexOf(undefined);
    const has = end < 0 ? all : all.slice(0, end);
    if (end >= 0 && all.slice(end).some((one) => one !== undefined)) continue;
    if (has.some((one) => !one!.recording || one!.inconsistent)) continue;
    found.set(name, new Set(has.slice(0, base - top).flatMap((one) => [...one!.blocks])));
  }
  return found;
}

function mergeInto(layer: ModelLayer, bits: ReadonlyMap<string, ReadonlySet<number>>): void {
  for (const [name, blocks] of bits) {
    let bitmap = layer.bitmaps.find((one) => one.name === name);
    if (bitmap === undefined) {
      bitmap = { name, recording: true, inconsistent: false, blocks: new Set() };
      layer.bitmaps.push(bitmap);
    }
    for (const block of blocks) bitmap.blocks.add(block);
  }
}

/** What the first of the layers that has it holds. */
function flattened(layers: readonly ModelLayer[]): Map<number, number> {
  return new Map(layers.toReversed().flatMap(({ content }) => [...content]));
}
