/** A backup of a VM: all its disks at one instant, until it is committed or rolled back. */
import type { CallOptions } from '../../../core/callOptions.js';
import { CbtError } from '../../../core/errors.js';
import { escapeXml } from '../../../core/escapeXml.js';
import { hasEnded, type Session } from '../../../core/session.js';
import { untilAborted } from '../../../core/untilAborted.js';
import type { Vm } from '../../../core/vm.js';
import { keepNewest } from '../../../host/keepPoints.js';
import { closeAll } from '../../closeAll.js';
import { requireUint32 } from '../arguments.js';
import { PHT_BACKUP } from '../constants/handleTypes.js';
import {
  PRL_ERR_BACKUP_BACKUP_NOT_FOUND,
  PRL_ERR_BACKUP_INTERNAL_ERROR,
  PRL_ERR_FAILURE,
} from '../constants/results.js';
import { invalid, PrlError, toPrlError } from '../errors.js';
import { closeInTime, inTime } from '../inTime.js';
import type { PrlObject } from '../runtime.js';
import { Disk } from './disk.js';
import { openMap } from './openedDisk.js';

/**
 * A backup that was begun (`PrlVm_BeginBackup`). Left without `commit`, it is rolled back when it is closed.
 * @example
 * ```ts
 * const server = new LocalServer();
 * await server.login();
 * const web = await server.findVm('web');
 * await using begun = await web.beginBackup({ createMap: true });
 * await using first = await begun.getDisk(0);
 * const map = await first.getChangesMap();
 * await begun.commit();
 * ```
 */
export class Backup implements PrlObject, AsyncDisposable {
  /** The `PHT_…` of its handles. */
  readonly handleType = PHT_BACKUP;
  readonly #vm: Vm;
  readonly #session: Session;
  readonly #keepsPoint: boolean;
  readonly #keepPoints: number | undefined;
  readonly #spare: () => Promise<readonly string[]>;
  readonly #onEnd: () => void;
  readonly #disks = new Set<Disk>();
  #ending: Promise<void> | null = null;

  /** @internal PrlVm.beginBackup makes them. */
  constructor(
    vm: Vm,
    session: Session,
    {
      keepsPoint,
      keepPoints,
      spare,
    }: { keepsPoint: boolean; keepPoints: number | undefined; spare: () => Promise<readonly string[]> },
    onEnd: () => void,
  ) {
    this.#vm = vm;
    this.#session = session;
    this.#keepsPoint = keepsPoint;
    this.#keepPoints = keepPoints;
    this.#spare = spare;
    this.#onEnd = onEnd;
  }

  /** Disks in the backup, those that could not be begun included: opening one of these says why. */
  get disksCount(): number {
    return this.#session.disks.length;
  }

  /** Names of the disks, as QEMU's owner gave them. */
  get diskNames(): readonly string[] {
    return this.#session.disks.map(({ disk }) => disk);
  }

  /** UUID of the point in time with braces; empty when the backup keeps none. */
  get uuid(): string {
    return this.#keepsPoint ? `{${this.#session.pit}}` : '';
  }

  /** @internal Its point in time, kept or not. */
  get pit(): string {
    return this.#session.pit;
  }

  /** What the caller should know although the backup began (a guest that could not be frozen, say). */
  get warnings(): readonly string[] {
    return this.#session.warnings;
  }

  /**
   * As XML: its UUID, and of each disk that was begun what its content is read from (an NBD URL, or the path of its image).
   * @returns The text.
   */
  toText(): string {
    const begun = this.#session.disks.filter(({ error }) => error === undefined);
    const states = begun.map(({ disk, unsafeExportUri }) => escapeXml(unsafeExportUri ?? disk));
    const components = states.map(
      (state) => `<SnapshotComponent><State>${state}</State></SnapshotComponent>`,
    );
    return `<BackupActivity><Uuid>${this.uuid}</Uuid><Snapshot><SnapshotComponents>${components.join('')}</SnapshotComponents></Snapshot></BackupActivity>`;
  }

  /**
   * A disk as it was at the instant, read-only.
   * @param index From 0, below `disksCount`.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it: PRL_ERR_INVALID_ARG past the last disk,
   * PRL_ERR_BACKUP_BACKUP_NOT_FOUND after the end, and why a disk was not begun.
   */
  async getDisk(index: number, options?: CallOptions): Promise<Disk> {
    return inTime('getDisk', options, (own) => this.#getDisk(index, own), PRL_ERR_FAILURE);
  }

  async #getDisk(index: number, opening: CallOptions): Promise<Disk> {
    this.#requireOpen();
    const entry = this.#session.disks[requireUint32('index', index)];
    if (entry === undefined) throw invalid('index', `below ${this.disksCount}, the number of disks`);
    if (entry.error !== undefined) throw toPrlError(entry.error, PRL_ERR_FAILURE);
    const maps = await this.#session.openDisk(entry.disk, opening);
    const data = await this.#session.openData(entry.disk, opening).catch(async (thrown: unknown) => {
      await maps.close();
      throw thrown;
    });
    const disk: Disk = new Disk(
      {
        name: entry.unsafeExportUri ?? entry.disk,
        history: entry.epoch ?? null,
        data,
        local: false,
        ownGranularity: false,
        changes: async (from, to, _spelled, own) => openMap(await maps.changes({ from, to, ...own })),
        allocated: async (own) => openMap(await maps.allocated(own)),
        check: (own) => this.#session.check(entry.disk, own),
        close: () => closeAll(maps, data),
      },
      0,
      () => this.#disks.delete(disk),
    );
    this.#disks.add(disk);
    // The backup may have ended while the disk was being opened.
    if (this.#ending !== null) await disk.close();
    this.#requireOpen();
    return disk;
  }

  /**
   * Ends the backup; its point in time stays, when it keeps one. Called off, or late, it is finished by asking again.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it: PRL_ERR_BACKUP_BACKUP_NOT_FOUND where it has ended,
   * PRL_ERR_BACKUP_INTERNAL_ERROR where it broke, and it is rolled back then.
   */
  async commit(options?: CallOptions): Promise<void> {
    await this.#end('commit', options, async (own) => {
      const { disks } = await this.#session[this.#keepsPoint ? 'commit' : 'rollback'](own);
      const failed = disks.find(({ error }) => error !== undefined)?.error;
      if (failed !== undefined) throw failed;
      if (this.#keepsPoint)
        await keepNewest(
          this.#vm,
          disks.map(({ disk }) => disk),
          this.#keepPoints,
          { spare: this.#spare, signal: own.signal },
        );
    });
  }

  /**
   * Ends the backup as if it had never begun. Called off, or late, it is finished by asking again.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it: PRL_ERR_BACKUP_BACKUP_NOT_FOUND where it has ended.
   */
  async rollback(options?: CallOptions): Promise<void> {
    await this.#end('rollback', options, async (own) => {
      await this.#session.rollback(own);
    });
  }

  /**
   * Rolls back what is still open; waits for an end that is under way. Goes on where only the waiting for it ends.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it where rolling back failed.
   */
  async close(options?: CallOptions): Promise<void> {
    await closeInTime('close', options, async () => {
      if (this.#ending !== null) await Promise.allSettled([this.#ending]);
      // None, or one that was called off.
      if (this.#ending === null) await this.rollback().catch(unlessOver);
    });
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #requireOpen(): void {
    if (this.#ending !== null) throw new PrlError(PRL_ERR_BACKUP_BACKUP_NOT_FOUND, 'the backup has ended');
  }

  async #end(
    what: string,
    options: CallOptions | undefined,
    work: (own: CallOptions) => Promise<void>,
  ): Promise<void> {
    const ended = async (own: CallOptions): Promise<void> => {
      this.#requireOpen();
      this.#ending = this.#finish(own, work);
      await this.#ending;
    };
    await inTime(what, options, ended, PRL_ERR_BACKUP_INTERNAL_ERROR);
  }

  async #finish(own: CallOptions, work: (own: CallOptions) => Promise<void>): Promise<void> {
    try {
      // A connection that closes badly is no reason to leave the guest with an open session.
      const closed = Promise.allSettled([...this.#disks].map((disk) => disk.close()));
      await untilAborted(closed, own.signal, 'closing the disks');
      await work(own);
    } catch (thrown) {
      // It is still there, for another end.
      if (CbtError.is(thrown, 'ERR_CBT_ABORTED')) this.#ending = null;
      throw thrown;
    } finally {
      if (this.#ending !== null) {
        this.#onEnd();
        await this.#vm.close();
      }
    }
  }
}

/** A commit that was called off when QEMU had ended the session already: its point in time is kept, and there is nothing to roll back. */
function unlessOver(thrown: unknown): void {
  if (!(thrown instanceof PrlError && hasEnded(thrown.cause))) throw thrown;
}
