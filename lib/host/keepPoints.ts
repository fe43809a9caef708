/**
 * Points in time that a program leaves behind and never forgets: the SDKs know no call for it, as their points cost nothing. Here each costs a
 * bitmap in the image, and room in QEMU. Of a VM that says how many stay, the oldest go when a backup ends well.
 */
import type { Vm } from '../core/vm.js';

/** The newest, and the one that a backup which was not stored would start from again. */
export const LEAST_POINTS = 2;
/** QEMU takes 65535 bitmaps in an image, ours and others'. */
export const MOST_POINTS = 10_000;

/**
 * Forgets the oldest points of each of the disks, but `keep`. It harms nothing where that fails: the points stay until the next time, and
 * the process is warned.
 */
export async function keepNewest(
  vm: Vm,
  disks: readonly string[],
  keep: number | undefined,
  signal?: AbortSignal,
): Promise<void> {
  if (keep === undefined) return;
  for (const disk of disks)
    await forgetOldest(vm, disk, keep, signal).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      const what = `${disk} keeps more than ${keep} points in time for now: ${why}`;
      process.emitWarning(what, { type: 'CbtWarning', code: 'QEMU_CBT_KEEP_POINTS' });
    });
}

async function forgetOldest(
  vm: Vm,
  disk: string,
  keep: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const call = { signal };
  await using opened = await vm.openDisk(disk, call);
  const { state, pits } = await opened.pits({ count: false, ...call });
  // A history that is lost is not ours to shorten, and points below an overlay cannot be.
  if (state !== 'recording') return;
  for (const { pit } of pits.slice(0, Math.max(0, pits.length - keep)))
    await vm.forget(pit, { disks: [disk], ...call });
}
