/**
 * The disks of one QEMU process as a place where bitmaps can be changed: every question reads the block graph afresh, and
 * every change of several disks is one QMP transaction, looked at again after it.
 */
import type { BitmapAction as CoreAction } from '../../../core/chainPlan.js';
import type { DiskState } from '../../../core/diskSource.js';
import { CbtError, throwIfAborted, trackingLost } from '../../../core/errors.js';
import type { TrackedState } from '../../../core/tracking.js';
import type { DiskChange, TrackingTarget } from '../../../core/trackingTarget.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { type BitmapAction, runTransaction } from '../qmp/transaction.js';
import { findByNode, findDisk, listDisks, type TrackableDisk, type VmDisk } from './vmDisks.js';

export interface QmpTargetOptions {
  client: QmpPort;
  /** Names as `findDisk` takes them; every trackable disk unless given. */
  names?: readonly string[] | undefined;
  /** Nodes of images, instead of names. */
  nodes?: readonly string[] | undefined;
  /** How a disk is called towards the caller, by the name or node that chose it; its id unless given. */
  label?: ((disk: VmDisk, name: string | undefined) => string) | undefined;
}

export class QmpTrackingTarget implements TrackingTarget {
  readonly #options: QmpTargetOptions;
  readonly #nodes = new Map<string, TrackableDisk>();
  #others: readonly DiskState[] = [];
  #passedOver: readonly string[] = [];

  constructor(options: QmpTargetOptions) {
    this.#options = options;
  }

  async disks(signal?: AbortSignal): Promise<TrackedState[]> {
    const { client, label = (disk) => disk.id } = this.#options;
    const all = await listDisks(client, { signal });
    const chosen = await this.#choose(all);
    this.#nodes.clear();
    this.#others = all
      .filter((disk) => disk.trackable)
      .filter((disk) => !chosen.some((one) => one.disk === disk))
      .map((disk) => diskStateOf(disk, disk.id));
    const { names, nodes } = this.#options;
    this.#passedOver =
      names === undefined && nodes === undefined
        ? all.flatMap((disk) =>
            !disk.trackable && disk.apart ? [`${disk.id} takes no part: ${disk.why}`] : [],
          )
        : [];
    return chosen.map(({ disk, name }) => {
      const called = label(disk, name);
      if (!disk.trackable) {
        return {
          disk: called,
          error: new CbtError('ERR_CBT_UNSUPPORTED', `cannot be tracked: ${disk.why}`, { disk: called }),
        };
      }
      if (this.#nodes.has(called)) {
        return {
          disk: called,
          error: new CbtError('ERR_CBT_INVALID_ARGUMENT', `${called} is named twice`, { disk: called }),
        };
      }
      this.#nodes.set(called, disk);
      return { disk: called, state: diskStateOf(disk, called) };
    });
  }

  async #choose(all: readonly VmDisk[]): Promise<{ disk: VmDisk; name: string | undefined }[]> {
    const { client, names, nodes } = this.#options;
    if (nodes !== undefined) return nodes.map((name) => ({ disk: requireNode(client, all, name), name }));
    if (names === undefined)
      return all.filter((disk) => disk.trackable).map((disk) => ({ disk, name: undefined }));
    return Promise.all(names.map(async (name) => ({ disk: await findDisk(all, name), name })));
  }

  others(): readonly DiskState[] {
    return this.#others;
  }

  /** Of all disks that were meant, those that {@link disks} passed over last although a person may count on them. */
  passedOver(): readonly string[] {
    return this.#passedOver;
  }

  async apply(changes: readonly DiskChange[], signal?: AbortSignal): Promise<void> {
    const actions = changes.flatMap(({ disk, actions: wanted }) => {
      const found = this.#nodes.get(disk);
      if (found === undefined)
        throw new CbtError('ERR_CBT_INTERNAL', `no node is known for ${disk}`, { disk });
      refuseCovered(found, disk);
      return wanted.map((action) => toNodeAction(action, found));
    });
    throwIfAborted(signal);
    // Not cancelled half-way: whether it happened must be known.
    await runTransaction(this.#options.client, actions);
    await this.#verify(changes, signal);
  }

  /** The node and layers behind a disk that {@link disks} listed. */
  nodeOf(disk: string): TrackableDisk {
    const found = this.#nodes.get(disk);
    if (found === undefined) throw new CbtError('ERR_CBT_INTERNAL', `no node is known for ${disk}`, { disk });
    return found;
  }

  /** QEMU said yes; here is looked whether the bitmaps say so too. */
  async #verify(changes: readonly DiskChange[], signal: AbortSignal | undefined): Promise<void> {
    const after = await listDisks(this.#options.client, { signal });
    for (const { disk, actions } of changes) {
      const node = this.#nodes.get(disk)?.formatNode;
      const bitmaps = findByNode(after, node ?? '')?.layers?.[0]?.bitmaps ?? [];
      for (const action of actions) {
        if (action.kind !== 'add' && action.kind !== 'remove') continue;
        const found = bitmaps.find((bitmap) => bitmap.name === action.name);
        const ok =
          action.kind === 'remove'
            ? found === undefined
            : found !== undefined && !found.inconsistent && found.recording === !action.disabled;
        if (!ok) {
          const what = `QEMU took the change, but bitmap ${action.name} is not as it was told`;
          throw trackingLost('MISSING', what, { disk });
        }
      }
    }
  }
}

function requireNode(client: QmpPort, all: readonly VmDisk[], node: string): VmDisk {
  const disk = findByNode(all, node);
  // What a session did to an image is undone there, also when the disk has gone to another one since.
  if (disk !== null && !disk.trackable && disk.apart !== undefined)
    return { id: disk.id, ...disk.apart, trackable: true };
  if (disk !== null) return disk;
  const message = `node ${node} of ${client.name} is no disk, or is one no more`;
  throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { disk: node });
}

/** The image below an overlay is read-only: QEMU would change its bitmaps in memory only, or not at all. */
function refuseCovered(found: TrackableDisk, disk: string): void {
  if (found.overlay === undefined) return;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `a session in overlay mode has ${disk} (${found.overlay}): end it with commit or rollback first, or see qemu-cbt doctor`,
    { disk, reason: 'BUSY' },
  );
}

/** A disk of a running QEMU as the core sees it. */
export function diskStateOf(disk: TrackableDisk, called: string): DiskState {
  const [top, ...below] = disk.layers;
  return {
    disk: called,
    sizeBytes: disk.sizeBytes,
    live: true,
    layers: [{ ...top, volatile: !disk.persistentCapable }, ...below],
  };
}

export function toNodeAction(action: CoreAction, disk: TrackableDisk): BitmapAction {
  const node = disk.formatNode;
  switch (action.kind) {
    case 'add':
      return {
        kind: 'add',
        node,
        name: action.name,
        persistent: disk.persistentCapable,
        disabled: action.disabled,
        ...(action.granularityBytes === null ? {} : { granularityBytes: action.granularityBytes }),
      };
    case 'merge':
      return {
        kind: 'merge',
        node,
        name: action.target,
        sources: [
          ...action.sources.map((name) => ({ node, name })),
          ...(action.below ?? []).map(({ layer, name }) => ({ node: nodeOfLayer(disk, layer), name })),
        ],
      };
    default:
      return { kind: action.kind, node, name: action.name };
  }
}

function nodeOfLayer({ id, layers }: TrackableDisk, index: number): string {
  const layer = layers[index];
  if (layer !== undefined) return layer.node;
  throw new CbtError('ERR_CBT_INTERNAL', `${id} has no layer ${index}`, { disk: id });
}
