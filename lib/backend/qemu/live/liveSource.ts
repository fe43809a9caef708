/**
 * A disk of a running QEMU as a place to ask: its state from the block graph, its maps through exports made for the
 * question. In a session, what holds data is told of the session's instant.
 */
import type { BitmapKernel } from '../../../core/bitmapKernel.js';
import type { BitmapInfo, BitmapRef, DiskSource, DiskState } from '../../../core/diskSource.js';
import { CbtError, invalidArgument, throwIfAborted } from '../../../core/errors.js';
import { clipPager, emptyPager, unionPager } from '../../../core/pagers.js';
import { checkGranularity, type RangePager } from '../../../core/rangePage.js';
import { requireSafeExport } from '../graph/ioThreads.js';
import type { VmLayer } from '../graph/layers.js';
import { findOverwritten, imageOf } from '../graph/overwritten.js';
import { diskStateOf } from '../graph/trackingTarget.js';
import type { TrackableDisk, VmDisk } from '../graph/vmDisk.js';
import { listDisks } from '../graph/vmDisks.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { LiveMap } from './liveMap.js';
import { HeldMaps, LivePager } from './livePager.js';
import type { QueryServer } from './queryServer.js';

/** Maps that one disk keeps in QEMU at a time; the one unused for longest makes room. */
const MAX_HELD = 16;

/** The export that shows a session's instant, and the look whether it still does. */
export interface InstantExport {
  socket: string;
  exportName: string;
  check(signal: AbortSignal | undefined): Promise<void>;
}

export interface LiveSourceOptions {
  client: QmpPort;
  server: QueryServer;
  kernel: BitmapKernel;
  /** How the disk is called towards the caller. */
  disk: string;
  /** Finds it among the disks that there are now; null where it is gone. */
  find(disks: readonly VmDisk[]): VmDisk | null;
  instant?: InstantExport | undefined;
  onClose?: ((source: LiveDiskSource) => void) | undefined;
}

export class LiveDiskSource implements DiskSource {
  readonly disk: string;
  readonly #options: LiveSourceOptions;
  readonly #held: HeldMaps;
  #closing: Promise<void> | undefined;

  constructor(options: LiveSourceOptions) {
    this.disk = options.disk;
    this.#held = new HeldMaps(options.disk, options.client);
    this.#options = options;
  }

  async state(signal?: AbortSignal): Promise<DiskState> {
    return this.#held.use(() => this.#state(signal), signal);
  }

  async bitmapRanges(
    bitmaps: readonly BitmapRef[],
    granularityBytes: number,
    signal?: AbortSignal,
  ): Promise<RangePager> {
    return this.#held.use(() => this.#bitmapRanges(bitmaps, granularityBytes, signal), signal);
  }

  async allocatedRanges(layers?: number, signal?: AbortSignal): Promise<RangePager> {
    return this.#held.use(() => this.#allocatedRanges(layers, signal), signal);
  }

  async close(why?: CbtError): Promise<void> {
    this.#closing ??= this.#end(why);
    return this.#closing;
  }

  async #end(why: CbtError | undefined): Promise<void> {
    this.#options.onClose?.(this);
    await this.#held.close(why);
  }

  /** Lets go of what it holds in QEMU: somebody else needs the NBD server. */
  async release(): Promise<void> {
    await this.#held.release();
  }

  async #state(signal: AbortSignal | undefined): Promise<DiskState> {
    const disk = await this.#find(signal);
    const { client } = this.#options;
    const overwritten = await findOverwritten(client, imageOf(disk, this.disk), signal);
    if (overwritten !== null) throw overwritten;
    const state = diskStateOf(disk, this.disk);
    if (disk.overlay === undefined) return state;
    // What QEMU counts in a bitmap that records leaves out what the overlay took; asked for, it is refused.
    const layers = state.layers.map((layer) => ({
      ...layer,
      bitmaps: layer.bitmaps.map(({ dirtyBytes, ...bitmap }) =>
        bitmap.recording || dirtyBytes === undefined ? bitmap : { ...bitmap, dirtyBytes },
      ),
    }));
    return { ...state, layers };
  }

  async #bitmapRanges(
    bitmaps: readonly BitmapRef[],
    granularityBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<RangePager> {
    throwIfAborted(signal);
    checkGranularity('granularityBytes', granularityBytes);
    if (bitmaps.length === 0) return emptyPager;
    const disk = await this.#find(signal);
    const { instant } = this.#options;
    const layers = bitmaps.map(({ layer }) => this.#layer(disk, layer));
    for (const [index, layer] of layers.entries())
      if (layer.bitmaps.find(({ name }) => name === bitmaps[index]?.name)?.recording)
        if (instant === undefined)
          // At a session's instant nobody writes to the image: what still records there has stood still since.
          this.#refuseCovered(disk);
    const named = bitmaps.map(({ layer, name }) => {
      const info = this.#layer(disk, layer).bitmaps.find((bitmap) => bitmap.name === name);
      if (info === undefined || info.inconsistent) {
        const what = info === undefined ? 'is gone' : 'is inconsistent';
        throw new CbtError('ERR_CBT_TRACKING_LOST', `bitmap ${name} ${what}`, {
          disk: this.disk,
          reason: info === undefined ? 'MISSING' : 'CRASHED',
        });
      }
      return { info, source: { node: this.#layer(disk, layer).node, name } };
    });
    const filled = named.filter(({ info }) => !standsEmpty(info));
    if (filled.length === 0) return emptyPager;
    const sizeBytes = layers[0]?.sizeBytes ?? 0;
    const asked = { bitmaps: filled.map(({ source }) => source), sizeBytes, granularityBytes };
    const { client, server } = this.#options;
    // A frozen bitmap only ever gains bits, when a later one is merged into it; a recording one is of this moment.
    return this.#hold((stop) => LiveMap.ofBitmaps(client, server, asked, stop), signal, {
      sizeBytes,
      again: filled.every(({ info }) => !info.recording),
    });
  }

  async #allocatedRanges(layers: number | undefined, signal: AbortSignal | undefined): Promise<RangePager> {
    const { client, server, kernel, instant } = this.#options;
    const disk = await this.#find(signal);
    const { sizeBytes } = disk;
    if (instant !== undefined) {
      if (layers !== undefined) {
        throw new CbtError(
          'ERR_CBT_UNSUPPORTED',
          'what an overlay took is not known at a session’s instant',
          {
            disk: this.disk,
            reason: 'OVERLAY',
          },
        );
      }
      const open = (stop?: AbortSignal): Promise<LiveMap> =>
        LiveMap.ofExport(instant.socket, instant.exportName, stop);
      return checked(await this.#hold(open, signal, { sizeBytes, again: true }), instant);
    }
    const most = disk.layers.length;
    if (layers !== undefined && (!Number.isSafeInteger(layers) || layers < 0 || layers > most))
      throw invalidArgument('layers', layers, `an integer from 0 to ${most}`);
    this.#refuseCovered(disk);
    await requireSafeExport(client, disk, { signal });
    const nodes = layers === undefined ? [disk.formatNode] : disk.layers.slice(0, layers).map((l) => l.node);
    const parts: RangePager[] = [];
    for (const [index, node] of nodes.entries()) {
      const open = (stop?: AbortSignal): Promise<LiveMap> =>
        LiveMap.ofNode(client, server, node, layers !== undefined, stop);
      const own = disk.layers[index]?.sizeBytes ?? sizeBytes;
      // A layer is never asked past its end.
      parts.push(clipPager(await this.#hold(open, signal, { sizeBytes: own, again: true }), own));
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : unionPager(kernel, parts);
  }

  async #hold(
    open: (signal?: AbortSignal) => Promise<LiveMap>,
    signal: AbortSignal | undefined,
    facts: { sizeBytes: number; again: boolean },
  ): Promise<RangePager> {
    const { maps, uses } = this.#held;
    const oldest = maps.size < MAX_HELD ? undefined : [...maps].find((map) => !map.busy);
    await oldest?.release();
    const map = await open(signal);
    try {
      // Closed meanwhile, nobody would take it out of QEMU again.
      uses.requireOpen(this.disk);
    } catch (error) {
      await map.close();
      throw error;
    }
    return new LivePager(this.#held, open, map, facts).pager;
  }

  async #find(signal: AbortSignal | undefined): Promise<TrackableDisk> {
    throwIfAborted(signal);
    const { client, find } = this.#options;
    const disk = find(await listDisks(client, { signal }));
    if (disk?.trackable) return disk;
    if (disk === null)
      throw new CbtError(
        'ERR_CBT_BACKEND_UNAVAILABLE',
        `${this.disk} is no disk of ${client.name} any more`,
        {
          disk: this.disk,
        },
      );
    throw new CbtError('ERR_CBT_UNSUPPORTED', `cannot be tracked: ${disk.why}`, { disk: this.disk });
  }

  /** The writes of this moment go to an overlay of a session, where no bitmap of the image sees them. */
  #refuseCovered({ overlay }: TrackableDisk): void {
    if (overlay === undefined) return;
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `a session in overlay mode has this disk (${overlay}), and what is written meanwhile is told when it has ended: ask up to the session's point in time, or end the session`,
      { disk: this.disk, reason: 'BUSY' },
    );
  }

  #layer(disk: TrackableDisk, index: number): VmLayer {
    const layer = disk.layers[index];
    if (layer !== undefined) return layer;
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `the layers of ${this.disk} changed while it was asked`,
      {
        disk: this.disk,
        reason: 'BUSY',
      },
    );
  }
}

/**
 * Whether a bitmap has nothing, by QEMU's own count of this moment, and gets nothing: one that records could gain a bit before it is merged, and
 * of one that is held by somebody a part is elsewhere.
 */
function standsEmpty({ dirtyBytes, recording, busy }: BitmapInfo): boolean {
  return dirtyBytes === 0 && !recording && !busy;
}

/** Pages of data at an instant are only worth something while the session shows that instant. */
function checked(pager: RangePager, instant: InstantExport): RangePager {
  return {
    async page(window) {
      const page = await pager.page(window);
      await instant.check(window.signal);
      return page;
    },
  };
}
