/**
 * A session that is open on a running QEMU: watches it, and ends it. What the session is made of stands in QEMU and in its
 * lease, so this object can be made again by any later process.
 */

import { refusedDisk } from '../../../core/beginPlan.js';
import { type BegunSession, endedWithVm } from '../../../core/begunSessions.js';
import type { CallOptions } from '../../../core/callOptions.js';
import { CheckedData } from '../../../core/checkedData.js';
import { Diff, type DiffOptions } from '../../../core/diff.js';
import type { DiskData, OpenDataOptions } from '../../../core/diskData.js';
import { CbtError, type DiskFailure, throwIfAborted } from '../../../core/errors.js';
import { checkCall } from '../../../core/options.js';
import { marked, settled } from '../../../core/outcome.js';
import type { Session, SessionDisk, SessionMode } from '../../../core/session.js';
import { SharedLook } from '../../../core/sharedLook.js';
import type { TrackedDisk } from '../../../core/trackedDisk.js';
import type { TrackingOutcome } from '../../../core/tracking.js';
import { untilAborted } from '../../../core/untilAborted.js';
import { checkEnd } from '../../../core/vmOptions.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { tellBroken } from '../../../watch/tracing.js';
import { findDisk, listDisks } from '../graph/vmDisks.js';
import { makeId, tagOf } from '../own/ids.js';
import type { Lease, LeaseDisk } from '../own/lease.js';
import { exportUri } from '../own/nbdServer.js';
import { onEnded } from '../qmp/onEnded.js';
import { EVENTS_LOST, type QmpPort } from '../qmp/qmpPort.js';
import { askLease, letGoWhenEnded } from './endedElsewhere.js';
import { type Ending, type EndOptions, endSession } from './ending.js';
import { isFleecing } from './fleece.js';
import { MODES } from './modes.js';
import { letGoOfSession } from './owner.js';
import { PulledDisks } from './pulledDisks.js';
import { limitedFiles } from './scratch.js';
import { targetOf } from './sessionTarget.js';
import { whyBroken } from './whyBroken.js';

/** Opens one disk of a session for questions. */
export type OpenSessionDisk = (session: LiveSession, disk: LeaseDisk) => Promise<TrackedDisk>;

export class LiveSession implements Session, BegunSession {
  readonly pit: string;
  readonly mode: SessionMode;
  readonly disks: readonly SessionDisk[];
  readonly warnings: readonly string[];
  readonly tag: string;
  readonly #opened = new Set<TrackedDisk>();
  readonly #pulled: PulledDisks;
  readonly #looks = new SharedLook(() => this.#lookNow());
  #broken: CbtError | null = null;
  readonly #breaks = new AbortController();
  /** Being ended here, or ended. */
  #ended = false;
  /** Ended, with nothing left. */
  #over = false;
  onOver: (() => void) | null = null;
  /** What a commit came to whose caller left before it was told. */
  #untold: TrackingOutcome | null = null;
  /** The clean-up that a break started; later calls wait for it. */
  #breaking: Promise<TrackingOutcome> | null = null;
  /** The end that was asked for last. */
  #ending: Promise<TrackingOutcome> | null = null;
  /** Calls off what hears of QEMU: its connection outlives many sessions. */
  #unwatch: () => void = () => undefined;

  constructor(
    readonly client: QmpPort,
    readonly lease: Lease,
    readonly folder: string,
    private readonly open: OpenSessionDisk,
    refused: readonly DiskFailure[] = [],
  ) {
    this.pit = lease.session;
    this.mode = lease.mode;
    this.warnings = lease.warnings;
    this.tag = tagOf(lease.session);
    this.#pulled = new PulledDisks(client, lease);
    this.disks = [...lease.disks.map((disk) => this.#describe(disk)), ...refused.map(refusedDisk)];
  }

  get broken(): CbtError | null {
    return this.#broken;
  }

  get signal(): AbortSignal {
    return this.#breaks.signal;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Name of the export that serves a disk's data. */
  exportName(disk: LeaseDisk): string {
    return makeId('data', this.tag, disk.index);
  }

  async openDisk(name: string, options: CallOptions = {}): Promise<TrackedDisk> {
    checkCall('openDisk', options);
    const found = await this.#find(name, options);
    const opened = await this.open(this, found);
    opened.openDataBy((asked) => this.openData(found.disk, asked));
    this.#opened.add(opened);
    return opened;
  }

  diff(disk: string, options: DiffOptions): Diff {
    return new Diff(this, disk, options);
  }

  async openData(name: string, options: OpenDataOptions = {}): Promise<DiskData> {
    const disk = await this.#find(name, { signal: options.signal });
    // Its addon is loaded only where it is needed.
    const { NbdConnection } = await import('../../nbd/nbdConnection.js');
    const uri = exportUri(this.lease.nbdSocket, this.exportName(disk));
    const session = this;
    return new CheckedData(await NbdConnection.open({ kind: 'uri', uri }, options), {
      check: ({ signal }) => this.check(disk.disk, { signal }),
      get broken() {
        return session.broken;
      },
    });
  }

  /** A disk of the session, as the session calls it or by any name that finds it on the VM. */
  async #find(name: string, options?: WaitOptions): Promise<LeaseDisk> {
    await this.#look(options);
    const { disks } = this.lease;
    const disk =
      disks.find((one) => one.disk === name) ??
      byNode(disks, (await findDisk(await listDisks(this.client, options), name)).formatNode);
    if (disk === undefined) {
      const known = this.lease.disks.map((d) => d.disk).join(', ');
      throw new CbtError(
        'ERR_CBT_INVALID_ARGUMENT',
        `session ${this.pit} has no disk ${name}; it has ${known}`,
      );
    }
    const lost = this.#pulled.errorOf(disk.disk);
    if (lost !== null) throw lost;
    return disk;
  }

  async check(disk?: string, options: CallOptions = {}): Promise<void> {
    checkCall('check', options);
    await this.#look(options);
    const lost = this.#pulled.errorOf(disk);
    if (lost !== null) throw lost;
  }

  /** Throws when the session as a whole cannot be trusted. */
  async #look(options: WaitOptions = {}): Promise<void> {
    throwIfAborted(options.signal);
    this.#requireOpen();
    // A look with a limit of its own is nobody else's.
    if (options.timeoutMs !== undefined) return this.#lookNow(options);
    return untilAborted(this.#looks.ask(), options.signal);
  }

  #requireOpen(): void {
    if (this.#broken !== null) throw this.#broken;
    if (this.#over) throw this.#closed();
    if (this.lease.ending !== undefined) throw this.#beingEnded();
  }

  async #lookNow(options?: WaitOptions): Promise<void> {
    this.#requireOpen();
    const { rest } = this.#pulled;
    let why = await whyBroken(this.client, rest, options);
    if (why !== null) {
      await this.#pulled.find(options);
      // Found here, or meanwhile by whoever heard the event.
      if (this.#pulled.rest.disks.length < rest.disks.length)
        why = await whyBroken(this.client, this.#pulled.rest, options);
    }
    if (why !== null) throw this.#break(why);
  }

  /** Watches for what breaks the session, until it ends; for the process that owns it. `limited`: files with a limit, from before the instant. */
  watch(limited: readonly string[]): void {
    const events = this.client.events();
    const look = async (): Promise<void> => {
      for await (const { event, data } of events) {
        if (this.#ended || this.#broken !== null) return;
        if (event === EVENTS_LOST) await this.#lookAgain(limited);
        const job = this.lease.disks.find((disk) => data?.['id'] === makeId('job', this.tag, disk.index));
        const status = String(data?.['status']);
        const fleecing = this.mode !== 'fleece' || isFleecing(status);
        if (event === 'JOB_STATUS_CHANGE' && job !== undefined && !fleecing) {
          await this.#pulled.find();
          if (this.#pulled.errorOf(job.disk) === null)
            this.#break(`the fleecing job of ${job.disk} ended (${status})`);
        }
        const cut = this.#pulled.rest.disks.find((disk) => data?.['id'] === this.exportName(disk));
        if (event === 'BLOCK_EXPORT_DELETED' && cut !== undefined)
          this.#break(`the export of ${cut.disk} was taken away`);
        const full = this.lease.disks.find(
          ({ index }) => data?.['node-name'] === MODES[this.mode].fileNode(this.tag, index),
        );
        if (event === 'BLOCK_WRITE_THRESHOLD' && full !== undefined) {
          this.#break(
            `the ${fileOf(this.mode)} of ${full.disk} reached its limit of ${String(data?.['write-threshold'])} bytes`,
          );
        }
      }
    };
    look().catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      if (!this.#ended) this.#break(`QEMU can no longer be watched: ${why}`, error);
    });
    const callOff = onEnded(this.client, () => {
      // Nobody watches it any more: its guard ends it, or whoever connects first.
      void letGoOfSession(this.pit, 'undo');
      void events.return?.();
    });
    this.#unwatch = () => {
      callOff();
      void events.return?.();
    };
  }

  /** What the events would have told that are lost. A limit that was reached is none any more. */
  async #lookAgain(limited: readonly string[]): Promise<void> {
    await this.#look().catch(() => undefined);
    if (this.#ended || this.#broken !== null) return;
    const now = await limitedFiles(this.client);
    const full = this.lease.disks.find(({ index }) => {
      const file = MODES[this.mode].fileNode(this.tag, index);
      return limited.includes(file) && !now.includes(file);
    });
    if (full !== undefined) this.#break(`the ${fileOf(this.mode)} of ${full.disk} reached its limit`);
  }

  async commit(options?: EndOptions): Promise<TrackingOutcome> {
    checkEnd('commit', options);
    if (this.#broken !== null) throw this.#broken;
    if (this.lease.ending === 'rollback') throw this.#beingEnded();
    if (this.#untold === null) {
      // A commit that was left half-way is finished: its instant may be gone, its point in time is not.
      if (this.lease.ending === undefined || this.#over) await this.#look(options);
      this.#untold = await this.#end('commit', options);
    }
    const { warnings, disks: ended } = this.#untold;
    // Looked at last: what is returned is what the next session will find.
    const found = await listDisks(this.client, options);
    // A node that the disk has left (a mirror job turned to its target) may have the point, and is no disk any more.
    const nodes = new Set(found.filter(({ trackable }) => trackable).map(({ formatNode }) => formatNode));
    const there = this.lease.disks.filter(({ node }) => nodes.has(node));
    const states = there.length === 0 ? [] : await targetOf(this.client, there).disks(options?.signal);
    const disks = this.lease.disks.map(({ disk, node, changeId, epoch }) => {
      const error = ended.find((one) => one.disk === disk)?.error;
      if (error !== undefined) return { disk, error };
      const tracked = states.find((s) => s.disk === disk);
      const lost = tracked === undefined || 'error' in tracked;
      const kept =
        !lost &&
        tracked.state.layers[0]?.bitmaps.some(
          (b) => b.name.endsWith(`.${this.pit}`) && b.recording && !b.inconsistent,
        );
      if (kept) return { disk, ...(epoch && { epoch }), ...(changeId && { changeId }) };
      if (!nodes.has(node)) {
        const away = `${disk} is no longer a disk of this VM: whether PIT ${this.pit} is still on it cannot be seen`;
        return { disk, error: new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', away, { disk }) };
      }
      const message = `PIT ${this.pit} is no longer on ${disk}; take a full backup of this disk`;
      return {
        disk,
        error: new CbtError('ERR_CBT_TRACKING_LOST', message, { disk, reason: 'MISSING' as const }),
      };
    });
    this.#untold = null;
    return settled({ pit: this.pit, disks, ...(warnings !== undefined && { warnings }) });
  }

  async rollback(options?: EndOptions): Promise<TrackingOutcome> {
    checkEnd('rollback', options);
    const cleanedUp = await this.#breaking?.catch(() => null);
    if (cleanedUp != null) return marked(cleanedUp);
    // The clean-up failed, perhaps for want of room: with the cause mended it is done now.
    if (this.#over) throw this.#closed();
    return marked(await this.#end('rollback', options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#breaking !== null) await this.#breaking.catch(() => undefined);
    else if (!this.#ended) await this.rollback();
  }

  async endWithVm(): Promise<void> {
    await this.#ending?.catch(() => undefined);
    // What broke by itself, or was left half-way, has been told; it is finished by whoever asks again, or by its guard.
    if (this.#over || this.#broken !== null || this.lease.ending !== undefined) return;
    this.#breakWith(endedWithVm(this.pit, this.client.host.address));
    await this.#breaking?.catch((error: unknown) => {
      // Then it was lost, which `lost` of the VM tells.
      if (!CbtError.is(error, 'ERR_CBT_CONNECTION_LOST')) throw error;
    });
  }

  /** From here on nothing that the session served may be trusted; takes the exports away at once and rolls back. */
  #break(why: string, cause?: unknown): CbtError {
    if (this.#broken !== null) return this.#broken;
    return this.#breakWith(
      new CbtError(
        CbtError.is(cause, 'ERR_CBT_CONNECTION_LOST') ? cause.code : 'ERR_CBT_BACKEND_UNAVAILABLE',
        `session ${this.pit} is broken: ${why}. What was read since the last check is not the session's instant; the session is rolled back, begin a new one`,
        { details: { session: this.pit }, cause },
      ),
    );
  }

  #breakWith(broken: CbtError): CbtError {
    this.#broken = broken;
    tellBroken(() => this.#told(), broken);
    this.#breaks.abort(broken);
    this.#breaking = this.#cleanUpBreak();
    this.#breaking.catch(() => undefined);
    return broken;
  }

  /** Rolls back, unless another process is ending the session in order: then the point in time is that one's to decide. */
  async #cleanUpBreak(): Promise<TrackingOutcome> {
    const lease = await askLease(this.folder);
    // Nobody said that he ends it. Where that cannot be known it is undone as well: kept, the point would be nobody's.
    if (lease === 'unread' || (lease !== null && !lease.ending)) return this.#end('rollback');
    await this.#closeDisks();
    void letGoWhenEnded(this.client, this.folder, this.pit).finally(() => this.#unwatch());
    return { pit: this.pit, disks: [] };
  }

  #end(how: Ending, options?: EndOptions): Promise<TrackingOutcome> {
    this.#ending = this.#endAs(how, options);
    return this.#ending;
  }

  async #endAs(how: Ending, options?: EndOptions): Promise<TrackingOutcome> {
    this.#ended = true;
    await this.#closeDisks();
    const { folder, lease } = this;
    const outcome = await endSession(this.client, { folder, lease }, how, options);
    this.#over = true;
    this.#unwatch();
    this.onOver?.();
    return outcome;
  }

  async #closeDisks(): Promise<void> {
    const broken = this.#broken;
    for (const disk of this.#opened)
      await (broken ? disk.loseWith(broken) : disk.close()).catch(() => undefined);
    this.#opened.clear();
  }

  #told() {
    const { pit, client, lease } = this;
    const disks = lease.disks.map(({ disk }) => disk);
    return { operation: 'broken', vm: client.host.key, pit, session: pit, disks };
  }

  #closed(): CbtError {
    return new CbtError('ERR_CBT_CLOSED', `session ${this.pit} has ended`, {
      details: { session: this.pit, ended: true },
    });
  }

  #beingEnded(): CbtError {
    const how = this.lease.ending ?? 'rollback';
    const message = `session ${this.pit} is being ended by ${how}, which was left half-way or goes on elsewhere: ${how} it again to finish that`;
    return new CbtError('ERR_CBT_CLOSED', message, { details: { session: this.pit, ending: how } });
  }

  #describe(leased: LeaseDisk): SessionDisk {
    const { disk, sizeBytes, epoch, changeId, verdict, base, reason, message } = leased;
    const told = {
      disk,
      sizeBytes,
      ...(epoch !== undefined && { epoch }),
      ...(changeId !== undefined && { changeId }),
      unsafeExportUri: exportUri(this.lease.nbdSocket, this.exportName(leased)),
    };
    if (verdict === 'incremental' && base !== undefined) return { ...told, verdict, base };
    if (verdict !== 'full') return { ...told, verdict: 'unknown' };
    // Records of older versions have no words.
    const why = message ?? 'its earlier points in time cannot be used';
    return { ...told, verdict, ...(reason !== undefined && { reason }), message: why };
  }
}

function fileOf(mode: SessionMode): string {
  return mode === 'fleece' ? 'scratch file' : 'overlay file';
}

function byNode(disks: readonly LeaseDisk[], node: string | undefined): LeaseDisk | undefined {
  return disks.find((one) => one.node === node);
}
