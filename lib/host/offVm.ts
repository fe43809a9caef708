/** A VM that is off: its disks are images that nobody has open for writing, and everything is asked of them. */
import { randomUUID } from 'node:crypto';
import { refusedDisk } from '../core/beginPlan.js';
import { BegunSessions } from '../core/begunSessions.js';
import { instantOf } from '../core/changeId.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { checkCall, text } from '../core/options.js';
import { nothingDone, settled } from '../core/outcome.js';
import { type Instant, requireUuid } from '../core/pointInTime.js';
import { pointLeftAfter, withPointLeft } from '../core/pointLeft.js';
import type { Session, SessionDisk } from '../core/session.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { DiskOutcome, TrackingOutcome } from '../core/tracking.js';
import type {
  BeginVmOptions,
  CallOptions,
  DisksOptions,
  StartVmOptions,
  Vm,
  VmDiskInfo,
  VmFacts,
} from '../core/vm.js';
import { checkBegin, checkDisks, checkStart } from '../core/vmOptions.js';
import { filesOfDisk } from './diskFiles.js';
import { imageFiles } from './imageName.js';
import { ImageTracking } from './imageTracking.js';
import { calledBy, callingIt, type OffDisk, openOffDisk, trackable } from './offDisk.js';
import { findOffDisk } from './offNames.js';
import { type HeldDisk, OffSession } from './offSession.js';
import { keepsPoints, lookAtImage, type SeenImage, watchImage } from './seenImage.js';
import { requireNoHolder } from './unused.js';
import { requireWholeStack } from './wholeStack.js';

/** Who the VM is; its images do not tell. */
export interface OffVmFacts {
  key: string;
  name: string | null;
  uuid: string | null;
  /** As `VmFacts` has it. */
  definition?: string;
}

export class OffVm implements Vm {
  readonly running = false;
  readonly #who: OffVmFacts;
  readonly #disks: readonly OffDisk[];
  readonly #scratchPlaces: readonly string[];
  readonly #opened = new Set<TrackedDisk>();
  readonly #begun = new BegunSessions();
  #closed: Promise<void> | null = null;

  /** At least one disk unless it has a UUID, each image once; nothing is opened yet. `scratchPlaces`: what its sessions were given while it ran. */
  constructor(who: OffVmFacts, disks: readonly OffDisk[], scratchPlaces: readonly string[] = []) {
    this.#who = who;
    this.#disks = disks;
    this.#scratchPlaces = scratchPlaces;
    const images = disks.filter(({ refusal }) => refusal === undefined);
    if (images.length > 0 || who.uuid === null) trackingOf(images, scratchPlaces);
  }

  get key(): string {
    return this.#who.key;
  }

  /** There is nothing to lose. */
  readonly lost: AbortSignal = new AbortController().signal;

  /** Throws `BUSY` where a QEMU has one of the images for writing: then the VM runs, and only its monitor is not there. */
  async requireOff(socket: string): Promise<void> {
    for (const { disk, path, known } of this.#disks.filter(({ refusal }) => refusal === undefined))
      await callingIt(disk, path, () => requireNoWriter(path, known.format)).catch((error: unknown) => {
        // One that is not there, or that cannot be looked at, is told when it is asked.
        if (error instanceof CbtError && error.reason !== 'BUSY') return;
        const what = `${path} is open for writing, and nobody answers at ${socket}: a VM whose monitor is elsewhere is not off`;
        throw error instanceof CbtError
          ? new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', what, { reason: 'BUSY', disk, cause: error })
          : error;
      });
  }

  async facts(options: CallOptions = {}): Promise<VmFacts> {
    checkCall('facts', options);
    this.#requireOpen();
    const { name, uuid, definition } = this.#who;
    const is = { name, uuid, status: null, qemu: null, cpus: null, memoryBytes: null };
    return definition === undefined ? is : { ...is, definition };
  }

  async disks(options: DisksOptions = {}): Promise<VmDiskInfo[]> {
    checkDisks('disks', options);
    const { disks, signal } = options;
    const infos: VmDiskInfo[] = [];
    for (const off of await this.#chosen(disks)) infos.push(await describe(off, signal));
    return infos;
  }

  async openDisk(name: string, options: CallOptions = {}): Promise<TrackedDisk> {
    text(name, 'disk');
    checkCall('openDisk', options);
    const { signal } = options;
    this.#requireOpen();
    const disk = await openOffDisk(await findOffDisk(this.#disks, name), signal);
    this.#opened.add(disk);
    return disk.closeWith({ close: async () => void this.#opened.delete(disk) });
  }

  async enable(options: StartVmOptions = {}): Promise<TrackingOutcome> {
    checkStart('enable', options);
    const { disks, timeoutMs: _, ...start } = options;
    return settled(await this.#track(disks, (images) => images.enable(start)));
  }

  async reset(options: StartVmOptions = {}): Promise<TrackingOutcome> {
    checkStart('reset', options);
    const { disks, timeoutMs: _, ...start } = options;
    return settled(await this.#track(disks, (images) => images.reset(start)));
  }

  async disable(options: DisksOptions = {}): Promise<TrackingOutcome> {
    checkDisks('disable', options);
    const { disks, signal } = options;
    return settled(await this.#track(disks, (images) => images.disable({ signal })));
  }

  async forget(point: string | Instant, options: DisksOptions = {}): Promise<TrackingOutcome> {
    checkDisks('forget', options);
    const { disks, signal } = options;
    return settled(await this.#track(disks, (images) => images.forget(point, { signal })));
  }

  async undo(pit: string, options: DisksOptions = {}): Promise<TrackingOutcome> {
    checkDisks('undo', options);
    const { disks, signal } = options;
    return settled(await this.#track(disks, (images) => images.undo(pit, { signal })));
  }

  async begin(options: BeginVmOptions = {}): Promise<Session> {
    checkBegin(options);
    const pit = options.pit === undefined ? randomUUID() : requireUuid('pit', options.pit);
    const disks = await this.#chosen(options.disks);
    return options.detached
      ? this.#beginDetached(trackable(disks, options.disks), pit, options)
      : this.#begun.add(this.#begin(disks, pit, options));
  }

  async resume(session: string, options: CallOptions = {}): Promise<Session> {
    checkCall('resume', options);
    const { signal } = options;
    const pit = requireUuid('session', session);
    const told: SessionDisk[] = [];
    for (const off of await this.#chosen(undefined)) told.push(await findPoint(off, pit, signal));
    return this.#session(
      pit,
      this.#disks.map(({ disk }) => disk),
      told,
      [],
    );
  }

  async qmp(command: string): Promise<unknown> {
    this.#requireOpen();
    throw new CbtError(
      'ERR_CBT_UNSUPPORTED',
      `${command} was asked of a VM that is off: there is no monitor`,
    );
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    try {
      await this.#begun.end();
    } finally {
      for (const disk of this.#opened) await disk.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Nothing but the point in time will tell whoever goes on with it what was written since. */
  async #beginDetached(disks: readonly OffDisk[], pit: string, options: BeginVmOptions): Promise<Session> {
    const { base, signal } = options;
    const places = this.#placesWith(options);
    for (const { disk, path, known } of disks)
      await callingIt(disk, path, () => requireWholeStack(path, { ...known, signal }));
    const begun = settled(await track(disks, places, (images) => images.begin({ pit, base, signal })));
    const pointed = begun.disks.filter(({ error }) => error === undefined).map(({ disk }) => disk);
    return this.#session(pit, pointed, begun.disks, begun.warnings);
  }

  async #begin(disks: readonly OffDisk[], pit: string, options: BeginVmOptions): Promise<OffSession> {
    const { base, signal, onlyLook = false } = options;
    const failed = new Map<string, CbtError>();
    const seen: SeenImage[] = [];
    for (const off of disks) {
      const found = await lookAtImage(off, signal).catch((error: unknown) => ofOneDisk(off, error, signal));
      if (found instanceof CbtError) failed.set(off.disk, found);
      else seen.push(found);
    }
    if (seen.length === 0 && failed.size > 0)
      throw nothingDone([...failed].map(([disk, error]) => ({ disk, error })));
    const wanted = onlyLook ? [] : seen.filter(({ without }) => without === null).map(({ off }) => off);
    const begun =
      wanted.length === 0
        ? { disks: [], warnings: [] }
        : await track(wanted, this.#placesWith(options), (images) => images.begin({ pit, base, signal }));
    const pointed = begun.disks.filter(({ error }) => error === undefined).map(({ disk }) => disk);
    const watched: HeldDisk[] = [];
    try {
      for (const one of seen) {
        const { disk } = one.off;
        const outcome = begun.disks.find((each) => each.disk === disk);
        if (outcome !== undefined && outcome.error === undefined) continue;
        const held = await watchImage(one, outcome?.error, onlyLook).catch((error: unknown) =>
          ofOneDisk(one.off, error, signal),
        );
        if (held instanceof CbtError) failed.set(disk, held);
        else watched.push(held);
      }
    } catch (error) {
      for (const { by } of watched) if ('watch' in by) await by.watch.close();
      throw await withoutPoint(
        error,
        pit,
        disks.filter(({ disk }) => pointed.includes(disk)),
        this.#scratchPlaces,
      );
    }
    const told = disks.map(({ disk }): SessionDisk => {
      const error = failed.get(disk);
      if (error !== undefined) return refusedDisk({ disk, error });
      const held = watched.find(({ off }) => off.disk === disk)?.told;
      const told = held ?? begun.disks.find((one) => one.disk === disk);
      if (told === undefined) throw new CbtError('ERR_CBT_INTERNAL', `nothing is told of ${disk}`, { disk });
      return told;
    });
    settled({ disks: told });
    return this.#session(pit, pointed, told, begun.warnings, watched);
  }

  #session(
    pit: string,
    pointed: readonly string[],
    disks: readonly SessionDisk[],
    warnings: readonly string[],
    watched: readonly HeldDisk[] = [],
  ): OffSession {
    const byPoint = disks.flatMap((told): HeldDisk[] => {
      const off = this.#disks.find(({ disk }) => disk === told.disk);
      const instant = told.changeId === undefined ? null : instantOf(told.changeId, pit);
      return off === undefined || instant === null ? [] : [{ off, told, by: { instant } }];
    });
    return new OffSession({
      pit,
      known: this.#disks,
      held: [...byPoint, ...watched],
      disks,
      pointed,
      warnings,
      // Also while the VM is being closed: that ends the session.
      track: async (names, work) =>
        track(trackable(await this.#find(names), names), this.#scratchPlaces, work),
    });
  }

  async #track<T extends { disks: readonly DiskOutcome[] }>(
    disks: readonly string[] | undefined,
    work: (images: ImageTracking) => Promise<T>,
  ): Promise<T> {
    return track(trackable(await this.#chosen(disks), disks), this.#scratchPlaces, work);
  }

  /** While it is off there is nothing to put there; a session from when it ran may have. */
  #placesWith({ scratch }: BeginVmOptions): readonly string[] {
    return scratch?.folder === undefined ? this.#scratchPlaces : [...this.#scratchPlaces, scratch.folder];
  }

  /** By their names; each once, in that order. */
  async #chosen(names: readonly string[] | undefined): Promise<readonly OffDisk[]> {
    this.#requireOpen();
    return this.#find(names);
  }

  async #find(names: readonly string[] | undefined): Promise<readonly OffDisk[]> {
    if (names === undefined) return this.#disks;
    return [...new Set(await Promise.all(names.map((name) => findOffDisk(this.#disks, name))))];
  }

  #requireOpen(): void {
    if (this.#closed !== null) throw new CbtError('ERR_CBT_CLOSED', `the VM of ${this.key} is closed`);
  }
}

async function requireNoWriter(path: string, format: string | undefined): Promise<void> {
  for (const file of await filesOfDisk(path, format)) await requireNoHolder(file, 'read');
}

/** They are opened alike: one VM has one word about its images. */
function trackingOf(disks: readonly OffDisk[], scratchPlaces: readonly string[]): ImageTracking {
  const { format, trust } = disks[0]?.known ?? {};
  return new ImageTracking(
    disks.map(({ path }) => path),
    { format, trust, scratchPlaces },
  );
}

/** Changes the images of the disks; what is told of them is told of the disks. */
async function track<T extends { disks: readonly DiskOutcome[] }>(
  disks: readonly OffDisk[],
  scratchPlaces: readonly string[],
  work: (images: ImageTracking) => Promise<T>,
): Promise<T> {
  const ofPath = (path: string | undefined): OffDisk | undefined => disks.find((one) => one.path === path);
  try {
    const outcome = await work(trackingOf(disks, scratchPlaces));
    const named = outcome.disks.map((one) => {
      const { disk = one.disk, path = one.disk } = ofPath(one.disk) ?? {};
      return { ...one, disk, ...(one.error !== undefined && { error: calledBy(disk, path, one.error) }) };
    });
    return { ...outcome, disks: named };
  } catch (error) {
    if (!(error instanceof CbtError)) throw error;
    const off = ofPath(error.disk);
    throw off === undefined ? error : calledBy(off.disk, off.path, error);
  }
}

/** The failure of a begin that had taken the point of some disks already. */
async function withoutPoint(
  error: unknown,
  pit: string,
  pointed: readonly OffDisk[],
  scratchPlaces: readonly string[],
): Promise<unknown> {
  if (pointed.length === 0) return error;
  const left = await track(pointed, scratchPlaces, (images) => images.undo(pit)).then(
    (outcome) => pointLeftAfter(outcome.disks),
    (why: unknown) => pointed.map(({ disk }) => ({ disk, why })),
  );
  return withPointLeft(error, pit, left);
}

/** One that cannot be read now is told without its size: whoever opens it hears why. */
async function describe(off: OffDisk, signal: AbortSignal | undefined): Promise<VmDiskInfo> {
  const { disk, path, refusal } = off;
  if (refusal !== undefined) return { disk, trackable: false, why: refusal.message };
  const told = { disk, filename: path, trackable: true };
  try {
    await using opened = await openOffDisk(off, signal);
    const { format, sizeBytes, problem } = await opened.topLayer({ signal });
    const [, ...backing] = await imageFiles(path, { ...off.known, signal });
    return {
      ...told,
      ...(backing.length > 0 && { backing }),
      sizeBytes,
      format,
      persistent: keepsPoints(format, problem),
    };
  } catch (error) {
    await ofOneDisk(off, error, signal);
    return told;
  }
}

async function findPoint(off: OffDisk, pit: string, signal: AbortSignal | undefined): Promise<SessionDisk> {
  const { disk } = off;
  try {
    await using opened = await openOffDisk(off, signal);
    const { sizeBytes, epoch, pits } = await opened.pits({ signal });
    const point = pits.find((one) => one.pit === pit);
    if (point !== undefined && epoch !== null)
      return { disk, sizeBytes, epoch, changeId: point.changeId, verdict: 'unknown' };
    const message = `PIT ${pit} is not on ${disk}`;
    throw new CbtError('ERR_CBT_UNKNOWN_PIT', message, { disk, reason: 'UNKNOWN_PIT' });
  } catch (error) {
    return refusedDisk({ disk, error: await ofOneDisk(off, error, signal) });
  }
}

/** What spoils one disk only; what ends the whole call is thrown on. */
async function ofOneDisk(
  { disk, path }: OffDisk,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<CbtError> {
  throwIfAborted(signal);
  if (error instanceof CbtError && error.code !== 'ERR_CBT_INTERNAL')
    return calledBy(disk, path, error.about(disk));
  // A file that vanished between two looks.
  if (error instanceof Error && 'syscall' in error)
    return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path}: ${error.message}`, { disk });
  throw error;
}
