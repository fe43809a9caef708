/**
 * New images as qemu-img makes them. It makes each size once in a run; the next one is a copy, which costs a twentieth of starting
 * a program from a test runner's process. An empty qcow2 image says
 * nothing of where or when it was made. Files are copied at once: what a test makes of calls to the file system concerns others.
 */
import { randomUUID } from 'node:crypto';
import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

/** A folder of the run's own (stateFolder.ts); where there is none every image is made. */
const MADE = process.env['QEMU_CBT_TEST_IMAGES'];

type QemuImg = (...args: string[]) => Promise<string>;

/** What a copy can stand for: a plain image, named so that qemu-img takes the name for a file's. */
function plain(args: readonly string[]): { path: string; bytes: string } | null {
  const [create, quiet, asFormat, format, path = '', bytes = '', ...more] = args;
  const asked = [create, quiet, asFormat, format].join(' ') === 'create -q -f qcow2';
  return asked && more.length === 0 && path.startsWith('/') && /^\d+[KMGT]?$/.test(bytes)
    ? { path, bytes }
    : null;
}

/** Makes the image as a copy of what `qemuImg` made by the same arguments before; false where none can stand for it. */
export async function copyOfMade(args: readonly string[], qemuImg: QemuImg): Promise<boolean> {
  const image = plain(args);
  if (image === null || MADE === undefined) return false;
  const made = join(MADE, image.bytes);
  try {
    copyFileSync(made, image.path);
  } catch {
    const fresh = join(MADE, randomUUID());
    await qemuImg('create', '-q', '-f', 'qcow2', fresh, image.bytes);
    renameSync(fresh, made);
    copyFileSync(made, image.path);
  }
  return true;
}
