/**
 * A source whose every answer is checked where it comes in. A program may bring its own: a disk that it lost on the way, a map of another
 * size, a point that is not the one that was asked for, must not become a run that looks whole.
 */
import { ChangeMap } from '../core/changeMap.js';
import { CbtError } from '../core/errors.js';
import type {
  BackupSource,
  ChainPoint,
  FailedDisk,
  SourceData,
  SourceDisk,
  SourceFacts,
  SourceQuestions,
  SourceSession,
} from './source.js';
import { checkFacts, checkFailed, checkPoints, checkSessionFacts } from './sourceSchemas.js';

export function checkedSource(source: BackupSource): BackupSource {
  /** The disks that the newest facts told of. */
  let told: SourceFacts | null = null;
  return {
    leavesPoint: source.leavesPoint,
    vm: source.vm,
    async facts(signal) {
      told = checkFacts(await source.facts(signal));
      return told;
    },
    openDisk: async (disk, signal) => new CheckedQuestions(disk, await source.openDisk(disk, signal)),
    begin: async (pit, signal, options) =>
      checkedSession(await source.begin(pit, signal, options), { pit, told }),
    forget: (disk, point, signal) => source.forget(disk, point, signal),
    undo: (disk, pit, signal) => source.undo(disk, pit, signal),
  };
}

class CheckedQuestions implements SourceQuestions {
  readonly #disk: string;
  readonly #opened: SourceQuestions;

  constructor(disk: string, opened: SourceQuestions) {
    requireCalls(`what openDisk gives for ${disk}`, opened, ['changes', 'allocated', 'close']);
    this.#disk = disk;
    this.#opened = opened;
  }

  async changes(...asked: Parameters<SourceQuestions['changes']>): Promise<ChangeMap> {
    return wholeMap(this.#disk, null, await this.#opened.changes(...asked));
  }

  async allocated(...asked: Parameters<SourceQuestions['allocated']>): Promise<ChangeMap> {
    return wholeMap(this.#disk, null, await this.#opened.allocated(...asked));
  }

  close(): Promise<void> {
    return this.#opened.close();
  }
}

async function checkedSession(
  session: SourceSession,
  { pit, told }: { pit: string; told: SourceFacts | null },
): Promise<SourceSession> {
  try {
    checkSessionFacts(session, pit);
    requireCalls('the session', session, ['check', 'commit', 'rollback']);
    for (const disk of session.disks)
      requireCalls(`${disk.disk} of the session`, disk, ['points', 'changes', 'allocated', 'openData']);
  } catch (error) {
    // It was begun all the same, and nobody else can end it.
    if (typeof (session as Partial<SourceSession> | undefined)?.rollback === 'function')
      await session.rollback().catch(() => undefined);
    throw error;
  }
  const known = new Set([...session.disks, ...session.failed].map(({ disk }) => disk));
  const lost = (told?.disks ?? []).filter(({ disk, error }) => error === undefined && !known.has(disk));
  return {
    pit: session.pit,
    disks: session.disks.map((disk) => new CheckedDisk(disk)),
    failed: [...session.failed, ...lost.map(({ disk }) => ({ disk, error: notInSession(disk) }))],
    get warnings() {
      return session.warnings;
    },
    check: async () => checkFailed('check', await session.check()),
    commit: async (kept) => checkFailed('commit', await session.commit(kept)),
    rollback: async () => checkFailed('rollback', await session.rollback()),
  };
}

class CheckedDisk implements SourceDisk {
  readonly disk: string;
  readonly sizeBytes: number;
  readonly epoch: string | null;
  readonly changeId: string | null;
  readonly lost: SourceDisk['lost'];
  readonly #of: SourceDisk;

  constructor(of: SourceDisk) {
    ({
      disk: this.disk,
      sizeBytes: this.sizeBytes,
      epoch: this.epoch,
      changeId: this.changeId,
      lost: this.lost,
    } = of);
    this.#of = of;
  }

  async points(signal: AbortSignal | undefined): Promise<readonly ChainPoint[]> {
    return checkPoints(this.disk, await this.#of.points(signal));
  }

  async changes(...asked: Parameters<SourceDisk['changes']>): Promise<ChangeMap> {
    return wholeMap(this.disk, this.sizeBytes, await this.#of.changes(...asked));
  }

  async allocated(...asked: Parameters<SourceDisk['allocated']>): Promise<ChangeMap> {
    return wholeMap(this.disk, this.sizeBytes, await this.#of.allocated(...asked));
  }

  async openData(signal: AbortSignal | undefined): Promise<SourceData> {
    const data = await this.#of.openData(signal);
    requireCalls(`the data of ${this.disk}`, data, ['read', 'close']);
    const size: unknown = (data as Partial<SourceData>).info?.sizeBytes;
    if (Number.isSafeInteger(size)) return data;
    await data.close().catch(() => undefined);
    throw protocol(this.disk, `its data has no info.sizeBytes: ${String(size)}`);
  }
}

/** The map as it was given; one of a part of the disk, or of another size, would leave changes out. */
function wholeMap(disk: string, sizeBytes: number | null, map: unknown): ChangeMap {
  if (!(map instanceof ChangeMap))
    throw protocol(disk, 'what it gives as a map is no ChangeMap (ChangeMap.from makes one)');
  const sectors = (bytes: number): number => Math.ceil(bytes / 512);
  if (map.start === 0 && (sizeBytes === null || sectors(map.sizeBytes) === sectors(sizeBytes))) return map;
  throw new CbtError(
    'ERR_CBT_MAP_MISMATCH',
    `${disk}: the map is of ${map.sizeBytes} bytes from ${map.start} on, the disk has ${sizeBytes ?? map.sizeBytes}`,
    { disk },
  );
}

function requireCalls(what: string, given: unknown, calls: readonly string[]): void {
  const found = (given ?? {}) as Partial<Record<string, unknown>>;
  const missing = calls.filter((call) => typeof found[call] !== 'function');
  if (missing.length > 0)
    throw new CbtError('ERR_CBT_BACKEND_PROTOCOL', `${what} has no ${missing.join(', no ')}`);
}

function notInSession(disk: string): FailedDisk['error'] {
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${disk} was there before the run, and is not in its session: it was not backed up`,
    { disk },
  );
}

function protocol(disk: string, what: string): CbtError {
  return new CbtError('ERR_CBT_BACKEND_PROTOCOL', `the source of ${disk} broke its rules: ${what}`, { disk });
}
