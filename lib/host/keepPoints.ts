/**
 * Points in time that a program leaves behind and never forgets: the SDKs know no call for it, as their points cost nothing. Here each costs a
 * bitmap in the image, and room in QEMU. Of a VM that says how many stay, the oldest go when a backup ends well.
 */
import type { Vm } from '../core/vm.js';
import type { VmRecord } from './vmRecord.js';

/** The newest, and the one that a backup which was not stored would start from again. */
export const LEAST_POINTS = 2;
/** QEMU takes 65535 bitmaps in an image, ours and others'. */
export const MOST_POINTS = 10_000;
/**
 * Forgotten of a disk at one time: each is a change of its own, of a VM that is off with a program started for it. More of them go the
 * next time.
 */
export const MOST_AT_ONCE = 16;

export interface KeepOptions {
  /** Points that stay whatever their age: of snapshots that can still be asked for, of sessions that are open. Asked when it is known that some would go. */
  spare?: (() => Promise<readonly string[]>) | undefined;
  signal?: AbortSignal | undefined;
}

/** Of snapshots that are there, and of those that are being taken. */
export function pointsInUse({ snapshots, pending }: Pick<VmRecord, 'snapshots' | 'pending'>): string[] {
  return [...snapshots, ...pending].map(({ session }) => session);
}

/**
 * Forgets the oldest points of each of the disks, but `keep`, and at most {@link MOST_AT_ONCE} of them. It harms nothing where that fails:
 * the points stay until the next time, and the process is warned.
 */
export async function keepNewest(
  vm: Vm,
  disks: readonly string[],
  keep: number | undefined,
  options: KeepOptions = {},
): Promise<void> {
  if (keep === undefined) return;
  for (const disk of disks)
    await forgetOldest(vm, disk, keep, options).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      const what = `${disk} keeps more than ${keep} points in time for now: ${why}`;
      process.emitWarning(what, { type: 'CbtWarning', code: 'QEMU_CBT_KEEP_POINTS' });
    });
}

async function forgetOldest(
  vm: Vm,
  disk: string,
  keep: number,
  { spare, signal }: KeepOptions,
): Promise<void> {
  const call = { signal };
  await using opened = await vm.openDisk(disk, call);
  const { state, pits } = await opened.pits({ count: false, ...call });
  // A history that is lost is not ours to shorten, and points below an overlay cannot be.
  if (state !== 'recording') return;
  const oldest = pits.slice(0, Math.max(0, pits.length - keep)).map(({ pit }) => pit);
  if (oldest.length === 0) return;
  const spared = new Set(await spare?.());
  for (const pit of oldest.filter((one) => !spared.has(one)).slice(0, MOST_AT_ONCE))
    await vm.forget(pit, { disks: [disk], ...call });
}
