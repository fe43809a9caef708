/** The array's volumes as a source of backups. Everything comes from the public package. */
import { CbtError, ChangeMap } from 'qemu-cbt';
import type {
  BackupSource,
  ChainPoint,
  FailedDisk,
  FoundDisk,
  SourceData,
  SourceDisk,
  SourceFacts,
  SourceQuestions,
  SourceSession,
} from 'qemu-cbt/backup';
import { BLOCK_BYTES, Volume } from './array.js';

/** A group of volumes that the array takes snapshots of at one instant. */
export interface Group {
  id: string;
  name: string;
  volumes: readonly Volume[];
}

export class ArraySource implements BackupSource {
  /** A snapshot stays on the array when we die: the next run takes it off. */
  readonly leavesPoint = true;
  readonly #group: Group;

  constructor(group: Group) {
    this.#group = group;
  }

  async facts(): Promise<SourceFacts> {
    const { id, name, volumes } = this.#group;
    return { kind: 'vm', name, uuid: id, disks: volumes.map(describe), others: [] };
  }

  async openDisk(name: string): Promise<SourceQuestions> {
    const volume = this.#find(name);
    return {
      changes: async ({ from }) =>
        mapOf(volume, typeof from === 'string' ? from : from.pit, null, () =>
          volume.writtenBetween(typeof from === 'string' ? from : from.pit, null),
        ),
      allocated: async () => mapOf(volume, '*', null, () => Volume.used(volume.content())),
      close: async () => undefined,
    };
  }

  async begin(pit: string): Promise<SourceSession> {
    const { volumes } = this.#group;
    for (const volume of volumes) volume.snapshot(pit);
    return {
      pit,
      disks: volumes.map((volume) => new VolumeAtPoint(volume, pit)),
      failed: [],
      warnings: [],
      check: async () => [],
      commit: async (kept) => {
        for (const volume of volumes) if (!kept.includes(volume.name)) volume.remove(pit);
        return [];
      },
      rollback: async (): Promise<FailedDisk[]> => {
        for (const volume of volumes) if (volume.snapshots.some(({ id }) => id === pit)) volume.remove(pit);
        return [];
      },
    };
  }

  async forget(name: string, point: string): Promise<void> {
    const volume = this.#find(name);
    const found = pointsOf(volume).find(({ pit, changeId }) => pit === point || changeId === point);
    if (found === undefined) throw unknown(name, point);
    volume.remove(found.pit);
  }

  async undo(name: string, pit: string): Promise<void> {
    await this.forget(name, pit);
  }

  #find(name: string): Volume {
    const volume = this.#group.volumes.find((one) => one.name === name);
    if (volume === undefined)
      throw new CbtError('ERR_CBT_INVALID_ARGUMENT', `the array has no volume ${name}`, { disk: name });
    return volume;
  }
}

class VolumeAtPoint implements SourceDisk {
  readonly disk: string;
  readonly sizeBytes: number;
  readonly epoch: string;
  readonly changeId: string;
  readonly lost = null;
  readonly #volume: Volume;
  readonly #pit: string;

  constructor(volume: Volume, pit: string) {
    this.#volume = volume;
    this.#pit = pit;
    this.disk = volume.name;
    this.sizeBytes = volume.sizeBytes;
    this.epoch = volume.history;
    this.changeId = changeIdOf(volume, volume.find(pit).number);
  }

  async points(): Promise<readonly ChainPoint[]> {
    return pointsOf(this.#volume);
  }

  changes(from: string): Promise<ChangeMap> {
    return mapOf(this.#volume, from, this.#pit, () => this.#volume.writtenBetween(from, this.#pit));
  }

  allocated(): Promise<ChangeMap> {
    return mapOf(this.#volume, '*', this.#pit, () => Volume.used(this.#volume.find(this.#pit).data));
  }

  async openData(): Promise<SourceData> {
    const { data } = this.#volume.find(this.#pit);
    return {
      info: { sizeBytes: data.length },
      read: async (offset, length) => data.subarray(offset, offset + length),
      close: async () => undefined,
    };
  }
}

function describe(volume: Volume): FoundDisk {
  return {
    disk: volume.name,
    image: null,
    sizeBytes: volume.sizeBytes,
    epoch: volume.history,
    points: pointsOf(volume),
  };
}

function pointsOf(volume: Volume): ChainPoint[] {
  return volume.snapshots.map(({ id, number }) => ({
    pit: id,
    sequence: number,
    changeId: changeIdOf(volume, number),
  }));
}

function changeIdOf({ history }: Volume, number: number): string {
  return `${history}/${number}`;
}

async function mapOf(
  { name, sizeBytes }: Volume,
  from: string,
  to: string | null,
  blocks: () => readonly number[],
): Promise<ChangeMap> {
  let numbers: readonly number[];
  try {
    numbers = blocks();
  } catch {
    throw unknown(name, from);
  }
  const ranges = numbers.map((block) => {
    const offset = block * BLOCK_BYTES;
    return { offset, length: Math.min(BLOCK_BYTES, sizeBytes - offset) };
  });
  const facts = { disk: name, sizeBytes, granularityBytes: BLOCK_BYTES, from };
  return ChangeMap.from(ranges, to === null ? facts : { ...facts, to });
}

/** Not knowing is never "nothing changed". */
function unknown(disk: string, point: string): CbtError {
  return new CbtError('ERR_CBT_UNKNOWN_PIT', `${disk} has no snapshot ${point}`, {
    disk,
    reason: 'UNKNOWN_PIT',
  });
}
