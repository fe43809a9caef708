/**
 * Where a disk stands in a folder: the series of its earlier layers. A disk is its history; only when that was lost do its
 * image's path, or its name and size, find the series, and that is said. Two disks are never in one series.
 */
import { invalidArgument } from '../core/errors.js';
import { isCopy } from './copies.js';
import type { BackupFolder, Layer } from './folder.js';
import type { Owner } from './mark.js';
import type { DiskIdentity, SourceFacts } from './source.js';

/** A disk through time, as the folder has it. */
export interface Series {
  id: string;
  owner: string | null;
  /** Newest first; at least one. */
  layers: Layer[];
}

/** Where a disk's next layer belongs. */
export interface Place {
  /** Null for a disk that the folder does not have yet. */
  series: Series | null;
  /** By what it was found. */
  by: 'history' | 'image' | 'name' | 'asked' | null;
  /** Why nothing may be built on its history: another disk has it too. */
  twin: string | null;
  /** A series of the same disk, from when it was taken for another one. */
  joins: Series | null;
}

export interface PlaceOptions {
  /** Name of the series, in the folder's words; for one disk. */
  as?: string | undefined;
}

/** A place for each disk of a source, by the disk's name. `folder` has the mark of its owners. */
export async function placeDisks(
  folder: BackupFolder,
  owner: Owner,
  facts: SourceFacts,
  { as }: PlaceOptions = {},
): Promise<Map<string, Place>> {
  const all = seriesIn(folder);
  const disks = facts.disks.filter(({ error }) => error === undefined);
  const places = new Map<string, Place>(
    disks.map(({ disk }) => [disk, { series: null, by: null, twin: null, joins: null }]),
  );
  if (as !== undefined) {
    const [only] = disks;
    if (only === undefined || facts.disks.length > 1)
      throw invalidArgument('as', as, `left out where there are ${facts.disks.length} disks: it names one`);
    const series = all.find(({ layers }) => layers.some(({ disk }) => disk.key === as || disk.disk === as));
    places.set(only.disk, { series: series ?? null, by: 'asked', twin: null, joins: null });
    return places;
  }
  const free = new Set(all.filter((series) => series.owner === owner.id));
  const settle = (disk: DiskIdentity, series: Series, by: Place['by']): void => {
    places.set(disk.disk, { ...placeOf(places, disk), series, by });
    free.delete(series);
  };
  const open = (): DiskIdentity[] => disks.filter((disk) => placeOf(places, disk).series === null);
  noteTwins(disks, places);
  const sameVm = facts.kind === 'vm' && owner.uuid !== null && owner.uuid === facts.uuid?.toLowerCase();
  for (const { disk, series } of byHistory(open(), places, free)) {
    if (!free.has(series) || placeOf(places, disk).series !== null) continue;
    const image = imageOf(series);
    if (await isCopy(image, disk, facts, { sameVm }))
      places.set(disk.disk, { ...placeOf(places, disk), twin: `${image} has the same history` });
    else settle(disk, series, 'history');
  }
  for (const disk of open()) {
    const found = [...free].find((series) => isImageOf(series, disk));
    if (found !== undefined) settle(disk, found, 'image');
  }
  for (const disk of open()) {
    const found = [...free].find((series) => isNameOf(series, disk));
    if (found !== undefined) settle(disk, found, 'name');
  }
  for (const disk of disks) {
    const place = placeOf(places, disk);
    const joins = place.series === null ? null : splitOff(place.series, disk, free);
    if (joins !== null) free.delete(joins);
    places.set(disk.disk, { ...place, joins });
  }
  return places;
}

/** Everything that the folder has of a history, whoever's and by whatever name; for questions only. */
export function placeOfHistory(folder: BackupFolder, epoch: string | null): Place {
  const layers = seriesIn(folder)
    .flatMap((series) => series.layers)
    .filter(({ disk }) => epoch !== null && disk.epoch === epoch)
    .sort((x, y) => y.run.run - x.run.run);
  const series = layers.length === 0 ? null : { id: '', owner: null, layers };
  return { series, by: 'history', twin: null, joins: null };
}

/** Every series of the folder. */
export function seriesIn(folder: BackupFolder): Series[] {
  const found = new Map<string, Series>();
  for (const run of folder.runs.toReversed()) {
    for (const disk of run.disks) {
      const id = folder.seriesOf(disk);
      const series = found.get(id) ?? { id, owner: folder.ownerOf(run), layers: [] };
      series.layers.push({ run, disk });
      found.set(id, series);
    }
  }
  return [...found.values()];
}

/** Whether the layer's instant stands in the disk's chain: epoch, place and point in time together. */
export function stands({ run, disk: layer }: Layer, disk: Pick<DiskIdentity, 'epoch' | 'points'>): boolean {
  if (layer.epoch === null || layer.epoch !== disk.epoch) return false;
  // Two disks of one history in one run: which of them the disk is cannot be told.
  if (run.disks.filter(({ epoch }) => epoch === layer.epoch).length > 1) return false;
  const sequence = layer.sequence ?? null;
  return disk.points.some((one) => one.pit === run.pit && (sequence === null || one.sequence === sequence));
}

function placeOf(places: ReadonlyMap<string, Place>, { disk }: DiskIdentity): Place {
  return places.get(disk) ?? { series: null, by: null, twin: null, joins: null };
}

function noteTwins(disks: readonly DiskIdentity[], places: Map<string, Place>): void {
  for (const disk of disks) {
    const twin = disks.find((other) => other !== disk && other.epoch !== null && other.epoch === disk.epoch);
    if (twin !== undefined)
      places.set(disk.disk, { ...placeOf(places, disk), twin: `${twin.disk} has the same history` });
  }
}

/** Which series hold a disk's history: those of which an instant still stands first, the newest before older ones. */
function byHistory(
  disks: readonly DiskIdentity[],
  places: ReadonlyMap<string, Place>,
  free: ReadonlySet<Series>,
): { disk: DiskIdentity; series: Series }[] {
  const found: { disk: DiskIdentity; series: Series; standing: number; newest: number }[] = [];
  for (const disk of disks) {
    if (disk.epoch === null || placeOf(places, disk).twin !== null) continue;
    for (const series of free) {
      const own = series.layers.filter((layer) => layer.disk.epoch === disk.epoch);
      const newest = own[0]?.run.run ?? 0;
      const standing = own.find((layer) => stands(layer, disk))?.run.run ?? 0;
      if (newest > 0) found.push({ disk, series, standing, newest });
    }
  }
  return found.sort((a, b) => b.standing - a.standing || b.newest - a.newest);
}

/** The image that a series was taken of last, as far as its manifests tell. */
export function imageOf({ layers }: Series): string | null {
  const told = layers.map(({ run, disk }) => disk.image ?? (run.source.kind === 'images' ? disk.disk : null));
  return told.find((image) => image !== null) ?? null;
}

function isImageOf(series: Series, disk: DiskIdentity): boolean {
  const image = imageOf(series);
  return image !== null && (image === disk.image || image === disk.disk);
}

/** By the name that the VM last had for it: what it was called while the VM was off is a path. */
export function isNameOf({ layers }: Series, disk: DiskIdentity): boolean {
  const name = layers.find(({ run }) => run.source.kind === 'vm')?.disk.disk;
  const sizeBytes = Math.ceil(disk.sizeBytes / 512) * 512;
  return name === disk.disk && layers[0]?.disk.sizeBytes === sizeBytes;
}

/**
 * A disk that a crash and a run by another name split in two: the newest instants of both series stand in its chain, and no
 * run ever had both.
 */
function splitOff(series: Series, disk: DiskIdentity, free: ReadonlySet<Series>): Series | null {
  const isOf = ({ layers: [newest] }: Series): boolean => newest !== undefined && stands(newest, disk);
  if (!isOf(series)) return null;
  const runs = new Set(series.layers.map(({ run }) => run.run));
  for (const other of free)
    if (isOf(other) && !other.layers.some(({ run }) => runs.has(run.run))) return other;
  return null;
}

/** How a series was found, where it was not by its history; null where there is nothing to say. */
export function inWords({ series, by }: Place): string | null {
  const [newest] = series?.layers ?? [];
  if (newest === undefined || (by !== 'image' && by !== 'name')) return null;
  const how = by === 'image' ? 'the path of its image' : 'its name and size';
  return `taken for the disk ${newest.disk.disk} of run ${newest.run.run} by ${how}`;
}
