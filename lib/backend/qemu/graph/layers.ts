/**
 * From what a device or an export sees down to the node that holds the image, and on through the stack below it.
 *
 *   top ─→ throttle ─→ copy-on-read ─→ qcow2 ─backing→ [commit filter ─→] qcow2 ─backing→ raw
 *          └──── filters above ─────┘  layer 0                            layer 1         layer 2
 *
 * Bitmaps of a disk sit on layer 0, below all filters, where every write passes.
 */
import type { BitmapInfo, LayerState } from '../../../core/diskSource.js';
import { CbtError } from '../../../core/errors.js';
import { checkGranularity } from '../../../core/rangePage.js';
import { parseSegmentName } from '../../../core/segmentName.js';
import { parseId } from '../own/ids.js';
import type { DirtyBitmapInfo } from '../qmp/schemas.js';
import type { BlockGraph, GraphNode } from './blockGraph.js';

/**
 * Drivers that hand every request to one child and hold no data (`is_filter` in QEMU 7.2 to 10.1). blkverify and quorum
 * are left out: their data has no single home.
 */
const FILTER_DRIVERS: ReadonlySet<string> = new Set([
  'blkdebug',
  'blklogwrites',
  'blkreplay',
  'commit_top',
  'compress',
  'copy-before-write',
  'copy-on-read',
  'mirror_top',
  'preallocate',
  'replication',
  'throttle',
]);

/** Longest way down; far above what anybody stacks, and an end to a reply that goes in circles. */
const MAX_DEPTH = 1000;

/** One layer of a running disk. */
export interface VmLayer extends LayerState {
  /** Node name: what bitmap commands are told. */
  node: string;
  /** A path (perhaps relative to QEMU's folder) or a URI; a `json:` pseudo name when QEMU shows nothing better. */
  filename: string;
  readOnly: boolean;
}

/** Top first. */
type Layers = [VmLayer, ...VmLayer[]];

/** The first node below `top` that is no filter, and the filters passed on the way, top first. */
export function passFilters(graph: BlockGraph, top: string): { node: GraphNode; filters: string[] } {
  const filters: string[] = [];
  let node = nodeOf(graph, top);
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    const below = filteredChild(graph, node);
    if (below === null) return { node, filters };
    filters.push(node.name);
    node = nodeOf(graph, below);
  }
  throw circular(top);
}

/**
 * Past an overlay of a session of ours, which for the time of the session takes the writes of the image below it. The image
 * is still the disk; `overlay` is the node above it, null where there is none.
 */
export function passOwnOverlay(
  graph: BlockGraph,
  seen: { node: GraphNode; filters: string[] },
): { node: GraphNode; filters: string[]; overlay: GraphNode | null } {
  const { node, filters } = seen;
  if (!isOwnOverlay(node.name)) return { ...seen, overlay: overlayOn(graph, node) };
  const backing = childOf(node, 'backing');
  if (backing === undefined) return { ...seen, overlay: null };
  const below = passFilters(graph, backing);
  return { node: below.node, filters: [...filters, node.name, ...below.filters], overlay: node };
}

/** The overlay of ours that covers this image, met from below: a storage daemon shows no device that leads to it. */
function overlayOn(graph: BlockGraph, image: GraphNode): GraphNode | null {
  for (const node of graph.nodes.values())
    if (isOwnOverlay(node.name) && childOf(node, 'backing') === image.name && takesWrites(graph, node, image))
      return node;
  return null;
}

/**
 * Whether an overlay still has what its image lacks. An image that can be written does not prove that it has everything: it can
 * be while the overlay is being committed to it, after a commit that failed or was called off, and with copy-on-read. Only when
 * nothing leads to the overlay any more has QEMU turned to the image.
 */
export function takesWrites(graph: BlockGraph, overlay: GraphNode, image: GraphNode): boolean {
  return image.info.ro || isReached(graph, overlay);
}

/** Whether a node, a device or an export leads to this node. */
export function isReached(graph: BlockGraph, { name }: GraphNode): boolean {
  return (
    [...graph.nodes.values()].some(({ children }) => children.some(({ node }) => node === name)) ||
    [...graph.tops.values()].includes(name) ||
    graph.devices.some(({ inserted }) => inserted?.['node-name'] === name) ||
    graph.exports.some((e) => e['node-name'] === name)
  );
}

function isOwnOverlay(name: string): boolean {
  return parseId(name)?.part === 'overlay';
}

/** The layers of the stack that starts at a node which is no filter; top first. */
export function readLayers(graph: BlockGraph, format: GraphNode): Layers {
  const layers: Layers = [toLayer(graph, format)];
  let node = format;
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    const backing = childOf(node, 'backing');
    if (backing === undefined) return layers;
    node = passFilters(graph, backing).node;
    layers.push(toLayer(graph, node));
  }
  throw circular(format.name);
}

/**
 * The same layers, held where their points in time go on in a node that nothing leads to any more. QEMU drops the lower layers when a
 * `blockpull` completes, and libvirt merges their bitmaps into the top when it comes to handle that, then removes the nodes: until then the
 * top has a part of its segment, and looks whole. Without devices nothing has to lead to a disk.
 */
export function holdUnmerged(graph: BlockGraph, [top, ...more]: Layers): Layers {
  if (graph.devices.length === 0) return [top, ...more];
  // Few are, if any: bitmaps may be many.
  const unreached = [...graph.nodes.values()].filter((node) => !isReached(graph, node));
  const left = unreached.find((node) => sharesEpoch(bitmapNames(node), [top, ...more].flatMap(namesOn)));
  if (left === undefined) return [top, ...more];
  const message = `node ${left.name} has points in time of this disk, and nothing leads to it: who pulled it off has still to merge or remove it`;
  const hold = (layer: VmLayer): VmLayer =>
    sharesEpoch(bitmapNames(left), namesOn(layer))
      ? { ...layer, problem: { reason: 'BUSY', message } }
      : layer;
  return [hold(top), ...more.map(hold)];
}

function bitmapNames({ info }: GraphNode): string[] {
  return (info['dirty-bitmaps'] ?? []).flatMap(({ name }) => name ?? []);
}

function namesOn({ bitmaps }: VmLayer): string[] {
  return bitmaps.map(({ name }) => name);
}

function sharesEpoch(some: readonly string[], others: readonly string[]): boolean {
  const epochs = new Set(some.flatMap((name) => parseSegmentName(name)?.epoch ?? []));
  return epochs.size > 0 && others.some((name) => epochs.has(parseSegmentName(name)?.epoch ?? ''));
}

export function childOf(node: GraphNode, role: string): string | undefined {
  return node.children.find((child) => child.role === role)?.node;
}

/** The child a filter hands everything to; null when the node is no filter. */
export function filteredChild(graph: BlockGraph, node: GraphNode): string | null {
  // commit_top and mirror_top filter 'backing', blkdebug 'image', all others 'file'.
  const below = childOf(node, 'file') ?? childOf(node, 'backing') ?? childOf(node, 'image');
  if (below === undefined) return null;
  if (FILTER_DRIVERS.has(node.info.drv)) return below;
  return node.info.drv === 'raw' && wrapsFormat(graph, node, below) ? below : null;
}

/** A `raw` node over a whole image (same size, so no offset) hands everything through; over a file it is the format. */
function wrapsFormat(graph: BlockGraph, raw: GraphNode, below: string): boolean {
  const { node } = passFilters(graph, below);
  return node.children.length > 0 && node.info.image['virtual-size'] === raw.info.image['virtual-size'];
}

function nodeOf(graph: BlockGraph, name: string): GraphNode {
  const node = graph.nodes.get(name);
  if (node !== undefined) return node;
  throw new CbtError('ERR_CBT_BACKEND_PROTOCOL', `QEMU names the block node ${name} and does not list it`);
}

/** Whether what this node shows is encrypted in its own files: by its format, or by a LUKS node that the format stands on. */
export function isEncrypted(graph: BlockGraph, name: string): boolean {
  const at = [name];
  // Each node once; a graph has no more.
  const seen = new Set(at);
  for (let node = at.pop(); node !== undefined; node = at.pop()) {
    const { info, children } = nodeOf(graph, node);
    if (info.encrypted || info.drv === 'luks') return true;
    for (const child of children) {
      if (child.role === 'backing' || seen.has(child.node)) continue;
      seen.add(child.node);
      at.push(child.node);
    }
  }
  return false;
}

/** QEMU shows a replacement character for what is no UTF-8 in a name: that text may be the name of another file, and is no path. */
function readableName(file: string): string {
  return file.includes('\uFFFD') ? `unreadable:${file}` : file;
}

/** Every path or URI this image is known by: its own, its protocol node's, its external data file's; whole paths first. */
export function filesOf(graph: BlockGraph, node: GraphNode): string[] {
  const parts = ['file', 'data-file'].flatMap((role) => childOf(node, role) ?? []);
  const below = parts.map((name) => passFilters(graph, name).node);
  const names = [node, ...below].map(({ info }) => info.file);
  return [...new Set(names.flatMap((name) => [graph.paths.get(name) ?? name, name]).map(readableName))];
}

function toLayer(graph: BlockGraph, node: GraphNode): VmLayer {
  const { name, info } = node;
  const shown = info['dirty-bitmaps'] ?? [];
  return {
    label: name,
    node: name,
    // QEMU shows options as JSON where they differ from the image's header; the protocol node has the path.
    filename: filesOf(graph, node).find((file) => !file.startsWith('json:')) ?? readableName(info.file),
    sizeBytes: info.image['virtual-size'],
    format: info.drv,
    readOnly: info.ro,
    bitmaps: shown.flatMap((bitmap) => toBitmapInfo(name, bitmap)),
  };
}

/** Bitmaps without a name belong to jobs and filters, and are nobody else's business. */
function toBitmapInfo(node: string, bitmap: DirtyBitmapInfo): BitmapInfo[] {
  const { name, granularity } = bitmap;
  if (name === undefined) return [];
  try {
    checkGranularity(`granularity of bitmap ${name} on node ${node}`, granularity);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new CbtError('ERR_CBT_BACKEND_PROTOCOL', message, { cause });
  }
  return [
    {
      name,
      granularityBytes: granularity,
      recording: bitmap.recording,
      inconsistent: bitmap.inconsistent ?? false,
      persistent: bitmap.persistent,
      busy: bitmap.busy,
      dirtyBytes: bitmap.count,
    },
  ];
}

function circular(start: string): CbtError {
  return new CbtError(
    'ERR_CBT_BACKEND_PROTOCOL',
    `the block nodes below ${start} go on for more than ${MAX_DEPTH} steps`,
  );
}
