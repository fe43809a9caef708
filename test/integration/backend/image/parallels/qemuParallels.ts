/** QEMU's own view of Parallels images: dirty ranges through `qemu-nbd -r -B`, and whether it opens an image at all. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { coalesce, type Extent } from '../../../../helpers/qemuTools.js';

const run = promisify(execFile);
const QEMU_NBD = process.env['QEMU_NBD'] ?? 'qemu-nbd';
const QEMU_IMG = process.env['QEMU_IMG'] ?? 'qemu-img';
const NBDINFO = process.env['NBDINFO'] ?? 'nbdinfo';

/** Dirty ranges of a stored bitmap; nbdinfo starts and stops the server. */
export async function dirtyExtents(image: string, uuid: string): Promise<Extent[]> {
  const server = ['[', QEMU_NBD, '-r', '-f', 'parallels', '-B', uuid, image, ']'];
  const { stdout } = await run(NBDINFO, [`--map=qemu:dirty-bitmap:${uuid}`, '--json', '--', ...server], {
    maxBuffer: 1 << 28,
  });
  const entries = JSON.parse(stdout) as { offset: number; length: number; type: number }[];
  return coalesce(
    entries.filter(({ type }) => type === 1).map(({ offset, length }) => [offset, length] as const),
  );
}

/** QEMU's refusal of an image, or null when it opens it. */
export async function openError(image: string): Promise<string | null> {
  try {
    await run(QEMU_IMG, ['info', '-f', 'parallels', image]);
    return null;
  } catch (error) {
    return (error as { stderr: string }).stderr;
  }
}
