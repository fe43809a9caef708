/**
 * Whose folder it is. A source is recognised by what it is: its VM's UUID; without one, disks whose history or image the
 * folder has runs of; names only together with disks. Another one is refused, unless the caller adopts it: then the folder
 * has two owners, and what they back up is never mixed.
 */
import { randomUUID } from 'node:crypto';
import { CbtError } from '../core/errors.js';
import { isCopy } from './copies.js';
import type { BackupFolder } from './folder.js';
import { type Mark, newMark, type Owner } from './mark.js';
import { imageOf, isNameOf, type Series, seriesIn } from './series.js';
import type { DiskIdentity, SourceFacts } from './source.js';

/** How a source that the folder does not know is taken. */
export interface ClaimOptions {
  /** Take it as one more owner. */
  adopt?: boolean | undefined;
  /** Its one disk is the one that the folder has under this name. */
  as?: string | undefined;
}

export interface Claim {
  owner: Owner;
  /** What the folder's mark says from now on; the folder's own one where nothing changed. */
  mark: Mark;
  /** The folder with that mark. */
  folder: BackupFolder;
}

/** The owner as which the source's runs go into the folder. Throws for a source that is none of its owners. */
export async function claimFolder(
  folder: BackupFolder,
  facts: SourceFacts,
  options: ClaimOptions,
  now: Date,
): Promise<Claim> {
  if (folder.markError !== null) throw folder.markError;
  const empty = folder.runs.length === 0 && folder.damaged.length === 0;
  const marked = empty ? null : (folder.mark ?? inheritedMark(folder, now));
  const known = marked === null ? folder : folder.withMark(marked);
  for (const owner of marked?.owners ?? []) {
    if (!(await isOwner(known, owner, facts))) continue;
    return claimOf(known, marked as Mark, completed(owner, facts));
  }
  const named = options.as === undefined || marked === null ? null : ownerOfDisk(known, options.as);
  const claimed = marked?.owners.find(({ id }) => id === named);
  if (claimed !== undefined) return claimOf(known, marked as Mark, claimed);
  const owner = newOwner(facts, empty, now);
  if (empty) {
    const mark = { ...newMark([owner], now), ...(folder.mark !== null && { id: folder.mark.id }) };
    return { owner, mark, folder: folder.withMark(mark) };
  }
  if (!options.adopt) throw ofAnother(known, facts);
  const mark = marked === null ? newMark([owner], now) : { ...marked, owners: [...marked.owners, owner] };
  return { owner, mark, folder: known.withMark(mark) };
}

function claimOf(folder: BackupFolder, marked: Mark, owner: Owner): Claim {
  const owners = marked.owners.map((one) => (one.id === owner.id ? owner : one));
  const changed = JSON.stringify(owners) !== JSON.stringify(folder.mark?.owners);
  const mark = changed ? { ...marked, owners } : marked;
  return { owner, mark, folder: folder.withMark(mark) };
}

function newOwner({ kind, uuid, name }: SourceFacts, inherits: boolean, now: Date): Owner {
  return { id: randomUUID(), kind, uuid: lower(uuid), name, since: now.toISOString(), inherits };
}

function lower(uuid: string | null): string | null {
  return uuid?.toLowerCase() ?? null;
}

/**
 * The mark of a folder that has none, from its runs: owners that they name are those. Runs of version 1 name none; theirs is
 * beyond doubt where all that are of a VM name the same one. Null where it is not, and no owner is named either.
 */
function inheritedMark({ runs }: BackupFolder, now: Date): Mark | null {
  const owners = new Map<string, Owner>();
  const unnamed = new Map<string, SourceFacts>();
  let inherits = false;
  for (const { source, startedAt } of runs) {
    const { kind, owner: id } = source;
    const uuid = lower(source.uuid);
    const known = id === undefined ? undefined : owners.get(id);
    if (id === undefined) {
      inherits = true;
      if (kind === 'vm') unnamed.set(uuid ?? source.name ?? '', { ...source, uuid, disks: [], others: [] });
    } else if (known === undefined)
      owners.set(id, { id, kind, uuid, name: source.name, since: startedAt, inherits: false });
    // A VM may have been backed up by its images before, and since.
    else if (kind === 'vm') owners.set(id, { ...known, kind, uuid, name: source.name });
  }
  const [vm, another] = unnamed.values();
  if (inherits && another === undefined) {
    const heir =
      vm === undefined ? [...owners.values()][0] : [...owners.values()].find(({ uuid }) => uuid === vm.uuid);
    const alone = newOwner(
      vm ?? { kind: 'images', uuid: null, name: null, disks: [], others: [] },
      true,
      now,
    );
    owners.set(heir?.id ?? alone.id, heir === undefined ? alone : { ...heir, inherits: true });
  }
  const [first, ...rest] = owners.values();
  return first === undefined ? null : newMark([first, ...rest], now);
}

async function isOwner(folder: BackupFolder, owner: Owner, facts: SourceFacts): Promise<boolean> {
  const uuid = lower(facts.uuid);
  if (owner.uuid !== null && uuid !== null) return owner.uuid === uuid;
  const own = seriesIn(folder).filter((series) => series.owner === owner.id);
  for (const disk of facts.disks)
    for (const series of own) if (await isDiskOf(owner, series, disk, facts)) return true;
  if (owner.kind !== facts.kind) return false;
  // Nothing of its runs can be read: there is nothing that could be mixed up.
  if (own.length === 0) return owner.name === facts.name;
  if (owner.name !== null || facts.name !== null) {
    const names = new Set(own.flatMap(({ layers }) => layers.map((layer) => layer.disk.disk)));
    return owner.name === facts.name && facts.disks.some(({ disk }) => names.has(disk));
  }
  // Neither says who it is, nor where its images are: disks of these names and sizes are all that there is to know it by.
  return facts.disks.some(
    (disk) => disk.image === null && own.some((series) => imageOf(series) === null && isNameOf(series, disk)),
  );
}

/** Whether a series is of this disk: of its image, or of its history where no copy of it goes by that image. */
async function isDiskOf(
  owner: Owner,
  series: Series,
  disk: DiskIdentity,
  facts: SourceFacts,
): Promise<boolean> {
  const image = imageOf(series);
  if (image !== null && (image === disk.image || image === disk.disk)) return true;
  const { epoch, past = null } = disk;
  // Among images a copy is its owner's as well, a branch of its own; of a VM's disk it may be another VM's.
  if (owner.kind === 'images' && facts.kind === 'images')
    return series.layers.some(({ disk: { epoch: had } }) => had !== null && (had === epoch || had === past));
  if (epoch === null || !series.layers.some((layer) => layer.disk.epoch === epoch)) return false;
  return !(await isCopy(image, disk, facts));
}

/** A VM that was first seen by its images, or got a UUID since. */
function completed(owner: Owner, { kind, uuid, name }: SourceFacts): Owner {
  if (kind !== 'vm' || owner.uuid !== null) return owner;
  return { ...owner, kind, uuid: lower(uuid), name: name ?? owner.name };
}

function ownerOfDisk(folder: BackupFolder, name: string): string | null {
  for (const run of folder.runs.toReversed())
    if (run.disks.some(({ disk, key }) => disk === name || key === name)) return folder.ownerOf(run);
  return null;
}

function ofAnother(folder: BackupFolder, facts: SourceFacts): CbtError {
  const holds = describeOwners(folder);
  const came = describe(
    facts,
    facts.disks.map(({ disk }) => disk),
  );
  return new CbtError(
    'ERR_CBT_INVALID_ARGUMENT',
    `${folder.path} holds the backups of ${holds}, and this is ${came}: name another folder, or take it into this one as well, each by itself (--adopt); a disk that the folder has under another name is told by --as`,
    { details: { folder: folder.path, holds, came } },
  );
}

/** In words, for messages. */
export function describeOwners(folder: BackupFolder): string {
  const of = (owner: Owner): string => {
    const runs = folder.runs.filter((run) => folder.ownerOf(run) === owner.id);
    return describe(owner, [...new Set(runs.flatMap(({ disks }) => disks.map(({ disk }) => disk)))]);
  };
  const owners = (folder.mark?.owners ?? []).map(of);
  if (owners.length > 0) return owners.join(', and ');
  const vms = new Map(
    folder.runs.map(({ source }) => [`${source.uuid} ${source.name}`, describe(source, [])]),
  );
  return [...vms.values()].join(', and ') || 'a source that its damaged manifests do not tell';
}

function describe(who: Pick<SourceFacts, 'kind' | 'uuid' | 'name'>, disks: readonly string[]): string {
  const shown = disks.slice(0, 4).join(', ') + (disks.length > 4 ? ', …' : '');
  if (who.kind === 'images') return shown === '' ? 'images' : `images (${shown})`;
  const id = [who.name, who.uuid === null ? null : `UUID ${lower(who.uuid)}`].filter((part) => part !== null);
  return `${id.length === 0 ? 'a VM without name and UUID' : `VM ${id.join(', ')}`}${shown === '' ? '' : ` (${shown})`}`;
}
