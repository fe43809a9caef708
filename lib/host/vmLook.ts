/** How a VM of the inventory is now: running, off or silent, its disks and what is known of their points in time. Only looks. */
import { isNobodyThere } from '../backend/qemu/wayToQemu.js';
import { CbtError } from '../core/errors.js';
import type { DiskName } from '../core/ids.js';
import type { TrackedDisk, TrackingState } from '../core/trackedDisk.js';
import type { Vm } from '../core/vm.js';
import { type HostVm, idText } from './hostVm.js';

/** `silent`: something is wrong with the way to it, and whether it runs is not known. `unserved`: no way leads there yet. */
export type VmPower = 'running' | 'off' | 'silent' | 'unserved';

/** A disk as it was seen. */
export interface SeenDisk {
  disk: DiskName;
  sizeBytes: number | null;
  /** Path or URI of the image. */
  file: string | null;
  /** Null where it cannot be tracked, or could not be asked. */
  tracking: TrackingState | null;
  /** The newest point in time. */
  newest: { pit: string; changeId: string } | null;
  /** Why it cannot be tracked. */
  why: string | null;
  error: CbtError | null;
}

/** A VM as it was seen. */
export interface SeenVm {
  name: string;
  /** `vm-<number>`; null where this user has no folder that numbers are kept in. */
  id: string | null;
  uuid: string | null;
  power: VmPower;
  /** QEMU's run state; null where it has none, or the VM does not run. */
  status: string | null;
  disks: SeenDisk[];
  /** Of these the ones that the host file names; null where it names none, or nobody could be asked. */
  named: string[] | null;
  /** Names of disks in the host file that are none of these, or two. */
  misnamed: { name: string; error: CbtError }[];
  /** Why it is not running, as far as the way to it tells; of one that runs, why its number is not known. */
  error: CbtError | null;
}

export interface LookOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds for connecting; 10 000 unless given. */
  timeoutMs?: number | undefined;
}

/** Looks at a VM; what is wrong with it is part of the answer. */
export async function lookAt(host: HostVm, options: LookOptions = {}): Promise<SeenVm> {
  const number = await numberOf(host);
  const seen = await lookAtState(host, options);
  return { ...seen, id: number.id, error: seen.error ?? number.error };
}

/** A VM that has none yet gets its own. */
async function numberOf(host: HostVm): Promise<Pick<SeenVm, 'id' | 'error'>> {
  try {
    return { id: (await host.records.canKeep()) ? idText(await host.id()) : null, error: null };
  } catch (thrown) {
    return { id: null, error: coded(thrown) };
  }
}

async function lookAtState(host: HostVm, options: LookOptions): Promise<Omit<SeenVm, 'id'>> {
  const { entry, name } = host;
  const seen = { name, uuid: entry.uuid ?? null, status: null, disks: [], named: null, misnamed: [] };
  let vm: Vm;
  try {
    vm = await host.connect(options);
  } catch (thrown) {
    const error = coded(thrown);
    if (error.code === 'ERR_CBT_UNSUPPORTED' && !host.served) return { ...seen, power: 'unserved', error };
    if (!isNobodyThere(error)) return { ...seen, power: 'silent', error };
    return { ...seen, power: 'off', error };
  }
  try {
    const { uuid, status } = await vm.facts(options);
    const power = vm.running ? 'running' : 'off';
    const disks = await disksOf(vm, options);
    const meant = await disksMeant(vm, entry.disks, options);
    return { ...seen, uuid: uuid ?? seen.uuid, status, power, disks, ...meant, error: null };
  } catch (thrown) {
    return { ...seen, power: 'silent', error: coded(thrown) };
  } finally {
    await vm.close();
  }
}

async function disksOf(vm: Vm, { signal }: LookOptions): Promise<SeenDisk[]> {
  const disks: SeenDisk[] = [];
  for (const { disk, sizeBytes = null, filename: file = null, trackable, why = null } of await vm.disks({
    signal,
  }))
    disks.push({
      disk,
      sizeBytes,
      file,
      why,
      ...(trackable ? await tracking(() => vm.openDisk(disk, { signal }), signal) : UNKNOWN),
    });
  return disks;
}

/** Each by itself: one that is wrong says so, and hides none of the others. */
async function disksMeant(
  vm: Vm,
  names: readonly string[] | undefined,
  { signal }: LookOptions,
): Promise<Pick<SeenVm, 'named' | 'misnamed'>> {
  const misnamed: SeenVm['misnamed'] = [];
  if (names === undefined) return { named: null, misnamed };
  const named: string[] = [];
  for (const name of names)
    try {
      named.push(...(await vm.disks({ disks: [name], signal })).map(({ disk }) => disk));
    } catch (thrown) {
      const error = coded(thrown);
      if (error.code !== 'ERR_CBT_INVALID_ARGUMENT') throw error;
      misnamed.push({ name, error });
    }
  return { named, misnamed };
}

const UNKNOWN = { tracking: null, newest: null, error: null };

async function tracking(
  open: () => Promise<TrackedDisk>,
  signal: AbortSignal | undefined,
): Promise<Pick<SeenDisk, 'tracking' | 'newest' | 'error'> & { sizeBytes?: number }> {
  try {
    await using disk = await open();
    const { state, pits, sizeBytes } = await disk.pits({ signal, count: false });
    const last = pits.at(-1);
    const newest = last === undefined ? null : { pit: last.pit, changeId: last.changeId };
    return { tracking: state, newest, error: null, sizeBytes };
  } catch (thrown) {
    return { ...UNKNOWN, error: coded(thrown) };
  }
}

/** A cancelled look has no answer; every other failure is one. */
function coded(thrown: unknown): CbtError {
  if (!(thrown instanceof CbtError) || thrown.code === 'ERR_CBT_ABORTED') throw thrown;
  return thrown;
}
