/** What others do in a VM's life: people with qemu-img, a program that takes external snapshots, one that migrates, one that copies folders. */
import { execFile } from 'node:child_process';
import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NbdConnection } from '../../lib/backend/nbd/nbdConnection.js';
import { qemuImg } from '../helpers/qemuTools.js';
import { resized, SECTOR } from './contents.js';
import { Machine } from './machine.js';
import { askForeign, askOf, restore } from './questions.js';
import { NAMES, type World } from './world.js';

const LEAST_SECTORS = 128;
const MOST_SECTORS = 8192;

/** What QEMU refuses did not happen: whether it did. */
async function happens(world: World, what: string, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    world.note(what);
    return true;
  } catch (error) {
    world.note(`${what} refused: ${(error as Error).message.slice(-160).replaceAll('\n', ' ')}`);
    return false;
  }
}

/** Longer or shorter, by sectors or by much. */
export async function resize(world: World): Promise<void> {
  const name = world.pick(NAMES);
  const state = world.state(name);
  const now = state.sectors.length;
  const by = world.random(2) === 0 ? 1 + world.random(200) : 1 + world.random(3000);
  const wanted = world.random(3) === 0 && !state.shrunk ? now - by : now + by;
  const count = Math.min(MOST_SECTORS, Math.max(LEAST_SECTORS, wanted));
  // Nobody could tell (docs/operating.md, Resize).
  if (count > now && state.shrunk) return;
  const { machine } = world;
  if (await machine?.inSession()) return;
  const done = await happens(world, `${name} from ${now} to ${count} sectors`, () =>
    machine === null
      ? qemuImg('resize', '-q', '-f', 'qcow2', '--shrink', world.image(name), String(count * SECTOR))
      : machine.resize(name, count * SECTOR),
  );
  if (!done) return;
  if (count < now) state.shrunk = true;
  state.sectors = resized(state.sectors, count);
  if (count > now) await readTail(world, name, now);
  // Theirs do not say how long the disk was: what is new is as it was to them.
  for (const [bitmap, held] of state.foreign) {
    const longer = resized(held, count);
    if (count > now) longer.set(state.sectors.subarray(now), now);
    state.foreign.set(bitmap, longer);
  }
}

/**
 * A disk that was cut within a cluster keeps the rest of that cluster, and QEMU shows it again when the disk grows: what is new is
 * zeros from the next cluster on.
 */
async function readTail(world: World, name: string, from: number): Promise<void> {
  const { sectors, clusterSectors } = world.state(name);
  const end = Math.min(sectors.length, Math.ceil(from / clusterSectors) * clusterSectors);
  if (end === from) return;
  const read = (disk: NbdConnection): Promise<Buffer> => disk.read(from * SECTOR, (end - from) * SECTOR);
  const guest = world.machine?.guest(name);
  const bytes =
    guest === undefined ? await world.resting.open(world.image(name), 'read', read) : await read(await guest);
  for (let sector = from; sector < end; sector += 1) sectors[sector] = bytes[(sector - from) * SECTOR] ?? 0;
}

/** Somebody else's bitmap, which is nobody else's to change. */
export async function foreignBitmap(world: World): Promise<void> {
  const name = world.pick(NAMES);
  const { foreign, sectors } = world.state(name);
  const bitmap = world.pick(['theirs', '{7b3c1f0e-8a34-4f6e-9a51-2f5c8d6e1a02}']);
  const action = !foreign.has(bitmap) ? '--add' : world.pick(['--clear', '--remove']);
  const edit = (): Promise<string> => qemuImg('bitmap', action, '-f', 'qcow2', world.image(name), bitmap);
  if (await happens(world, `bitmap ${action} ${bitmap} of ${name}`, edit)) {
    if (action === '--remove') foreign.delete(bitmap);
    else foreign.set(bitmap, Uint8Array.from(sectors));
  }
  await askForeign(world);
}

/** Internal snapshots, and going back to one: QEMU refuses that while there are bitmaps. */
export async function internalSnapshot(world: World): Promise<void> {
  const name = world.pick(NAMES);
  const state = world.state(name);
  const snapshot = world.pick(['s1', 's2']);
  const known = state.snapshots.get(snapshot);
  const action = known === undefined ? '-c' : world.pick(['-a', '-d']);
  const edit = (): Promise<string> => qemuImg('snapshot', action, snapshot, world.image(name));
  if (!(await happens(world, `snapshot ${action} ${snapshot} of ${name}`, edit))) return;
  if (known === undefined) state.snapshots.set(snapshot, Uint8Array.from(state.sectors));
  else if (action === '-d') state.snapshots.delete(snapshot);
  else state.sectors = Uint8Array.from(known);
}

/** The image's form is changed: to one without room for bitmaps and back, with tables that are written late and not. */
export async function amend(world: World): Promise<void> {
  const name = world.pick(NAMES);
  const form = world.pick(['compat=0.10', 'compat=1.1', 'lazy_refcounts=on', 'lazy_refcounts=off']);
  const done = await happens(world, `amend ${form} of ${name}`, () =>
    qemuImg('amend', '-f', 'qcow2', '-o', form, world.image(name)),
  );
  // That form has no place for bitmaps: QEMU drops them all.
  if (done && form === 'compat=0.10') world.state(name).foreign.clear();
}

/** Somebody else's external snapshot hides what is written from the chain, until it is committed back. */
export async function externalSnapshot(world: World): Promise<void> {
  const name = world.pick(NAMES);
  const file = join(world.folder, 'theirs.qcow2');
  const backing = ['-b', world.image(name), '-F', 'qcow2'];
  const { machine } = world;
  if (await machine?.inSession()) return;
  // QEMU opens it above the disk that it has.
  const bytes = String(world.state(name).sectors.length * SECTOR);
  const made = machine === null ? backing : [];
  await qemuImg('create', '-q', '-f', 'qcow2', ...made, file, ...(machine === null ? [] : [bytes]));
  const node = world.newName('theirs');
  if (machine !== null) await machine.putOverlay(name, file, node);
  const words =
    machine === null ? [[file], [file, '--format', 'qcow2']] : [world.node(node), world.disk(name)];
  for (let n = 1 + world.random(2); n > 0; n -= 1) {
    await world.write(name, file);
    if (world.moments.length === 0) continue;
    // The disk is the overlay now; what was the disk is a layer of it.
    await askOf(world, world.pick(words), name, world.pick(world.moments));
  }
  if (machine !== null) await machine.commitOverlay(name, node);
  else await qemuImg('commit', '-q', '-f', 'qcow2', file);
  await rm(file);
}

/** The VM goes on in another process; the one that it left is of no use any more. */
export async function migrate(world: World): Promise<void> {
  const { machine } = world;
  if (machine === null || (await machine.inSession())) return;
  const { folder: old } = machine.process;
  const here = ['vm', 'vm2'].map((name) => join(world.folder, name)).find((folder) => folder !== old) ?? '';
  const target = await Machine.system(here, world.disks, { incoming: true });
  await machine.migrateTo(target);
  world.machine = target;
  await machine.stop();
  await rm(old, { recursive: true });
}

/** The backup folder is copied, moved there and back, or an older copy of it takes its place. */
export async function folderCopies(world: World): Promise<void> {
  if (world.runs.length === 0) return;
  const move = world.random(3);
  const elsewhere = join(world.folder, world.newName('folder'));
  if (move === 0 || world.folders.length === 0) {
    await cp(world.backups, elsewhere, { recursive: true });
    const runs = [...world.runs];
    world.folders.push({ path: elsewhere, runs, pruning: world.pruning });
    // A copy restores as what it is a copy of.
    await restore(world, world.pick(runs), elsewhere);
  } else if (move === 1) {
    await rename(world.backups, elsewhere);
    await restore(world, world.pick(world.runs), elsewhere);
    await rename(elsewhere, world.backups);
  } else {
    const { path, runs, pruning } = world.pick(world.folders);
    await rm(world.backups, { recursive: true });
    await promisify(execFile)('cp', ['-a', path, world.backups]);
    world.runs = [...runs];
    world.pruning = pruning;
  }
}
