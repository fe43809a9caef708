/** What a run is going to do with each disk: where it belongs in the folder, what it builds on, what its files are called. */
import { randomUUID } from 'node:crypto';
import { ofEach } from '../core/ofEach.js';
import { type Choice, chooseBase } from './chooseBase.js';
import { replaceFile } from './durable.js';
import type { BackupFolder } from './folder.js';
import { formatManifest } from './manifest.js';
import type { Owner } from './mark.js';
import { isKey, makeKey, manifestName, parseLayerName } from './names.js';
import { type Place, placeDisks } from './series.js';
import type { DiskIdentity, FailedDisk, SourceDisk, SourceFacts } from './source.js';

export type Plan = Choice & {
  disk: SourceDisk;
  identity: DiskIdentity;
  /** Id of the series. */
  series: string;
  /** The disk's name in the folder's files. */
  key: string;
  /** Place of the session's point in the epoch; null where none was taken. */
  sequence: number | null;
  changedBytes: number;
};

export interface PlanQuestion {
  folder: BackupFolder;
  owner: Owner;
  facts: SourceFacts;
  disks: readonly SourceDisk[];
  pit: string;
  full: boolean;
  as: string | undefined;
  signal: AbortSignal | undefined;
  /** An error that spoils one disk only; what ends the whole run is thrown on. */
  ofOneDisk: (disk: string, error: unknown) => Promise<FailedDisk>;
}

/** Disks that are asked at once: each may have an export of its own in QEMU meanwhile. */
const AT_ONCE = 8;

/** A plan for each disk; those for which there is none, and why. */
export async function planDisks(question: PlanQuestion): Promise<{ plans: Plan[]; failed: FailedDisk[] }> {
  const { folder, owner, facts, as, ofOneDisk, signal } = question;
  const failed: FailedDisk[] = [];
  const ofEachDisk = async <A extends { disk: SourceDisk }, T>(
    disks: readonly A[],
    work: (one: A) => Promise<T>,
  ): Promise<T[]> => {
    const outcomes = await ofEach(
      disks,
      async (one): Promise<{ known?: T; failed?: FailedDisk }> => {
        try {
          return { known: await work(one) };
        } catch (error) {
          return { failed: await ofOneDisk(one.disk.disk, error) };
        }
      },
      AT_ONCE,
    );
    failed.push(...outcomes.flatMap((one) => one.failed ?? []));
    return outcomes.flatMap((one) => (one.known === undefined ? [] : [one.known]));
  };
  const asked = question.disks.map((disk) => ({ disk }));
  const known = await ofEachDisk(asked, async ({ disk }) => {
    const image = facts.disks.find((one) => one.disk === disk.disk)?.image ?? null;
    const { sizeBytes, epoch } = disk;
    const points = await disk.points(signal);
    return { disk, identity: { disk: disk.disk, image, sizeBytes, epoch, points } };
  });
  const disks = known.map(({ identity }) => identity);
  const places = await placeDisks(folder, owner, { ...facts, disks }, { as });
  const placed = known.flatMap((one) => {
    const place = places.get(one.disk.disk);
    return place === undefined ? [] : [{ ...one, place }];
  });
  const chosen = await ofEachDisk(placed, async (one) => {
    const choice = await choose(question, one);
    return { ...one, choice, changedBytes: await choice.map.changedBytes() };
  });
  const used = usedKeys(folder);
  const plans: Plan[] = [];
  const joined = new Map<string, string>();
  // One after the other: what one is called the next is not.
  for (const one of chosen) {
    const [plan] = await ofEachDisk([one], () => planDisk(question, one, used));
    if (plan === undefined) continue;
    used.add(plan.key);
    plans.push(plan);
    const { series: found, joins } = one.place;
    if (found !== null && joins !== null) for (const id of [found.id, joins.id]) joined.set(id, plan.series);
  }
  await join(folder, joined);
  return { plans, failed };
}

interface PlacedDisk {
  disk: SourceDisk;
  identity: DiskIdentity;
  place: Place;
}

function choose(
  { folder, full, signal }: PlanQuestion,
  { disk, identity, place }: PlacedDisk,
): Promise<Choice> {
  return chooseBase({
    folder,
    place,
    epoch: disk.epoch,
    points: identity.points,
    lost: disk.lost,
    full,
    changes: (from, more) => disk.changes(from, more),
    allocated: (more) => disk.allocated(more),
    selection: { signal },
  });
}

async function planDisk(
  { as, pit }: PlanQuestion,
  { disk, identity, place, choice, changedBytes }: PlacedDisk & { choice: Choice; changedBytes: number },
  used: ReadonlySet<string>,
): Promise<Plan> {
  const { series: found } = place;
  const series = found === null || !isId(found.id) ? randomUUID() : found.id;
  // A layer and the one that it builds on have one key.
  const ownKey = choice.base?.disk.key ?? found?.layers[0]?.disk.key;
  const wanted = as !== undefined && isKey(as) && !used.has(as) ? as : null;
  return {
    ...choice,
    disk,
    identity,
    series,
    key: ownKey ?? wanted ?? makeKey(as ?? disk.disk, used),
    sequence: identity.points.find((one) => one.pit === pit)?.sequence ?? null,
    changedBytes,
  };
}

/** Keys of the folder's runs, and of files that are there without one: whose they are is not known. */
function usedKeys({ runs, names }: BackupFolder): Set<string> {
  const keys = new Set(runs.flatMap(({ disks }) => disks.map(({ key }) => key)));
  for (const name of names) keys.add(parseLayerName(name)?.key ?? '');
  return keys;
}

function isId(series: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(series);
}

/** A disk that was taken for two is one from now on: the manifests of both series name it. Each is written once, for all disks that join. */
async function join(folder: BackupFolder, joined: ReadonlyMap<string, string>): Promise<void> {
  for (const run of folder.runs) {
    const disks = run.disks.map((disk) => {
      const series = joined.get(folder.seriesOf(disk));
      return series === undefined || series === disk.series ? disk : { ...disk, series };
    });
    if (disks.every((disk, index) => disk === run.disks[index])) continue;
    await replaceFile(folder.file(manifestName(run.run)), formatManifest({ ...run, disks }));
  }
}
