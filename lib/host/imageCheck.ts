/** The wiring of `qemu-img check`: is a qcow2 file's structure whole? */
import { resolve } from 'node:path';
import { CbtError } from '../core/errors.js';
import { qemuImg } from './imageTool.js';

/** `qemu-img check` says with it that clusters are leaked, and nothing else is wrong. */
const ONLY_LEAKS = 3;
const ERRORS_FOUND = 2;

/**
 * Checks one qcow2 file by itself: nothing that its header names is opened as its backing file. Gives the number of clusters
 * that are taken and not used, which costs room and nothing else; anything worse is `ERR_CBT_CORRUPT_IMAGE`. The header must
 * have been looked at before: QEMU opens an external data file.
 */
export async function checkImageFile(
  path: string,
  signal?: AbortSignal,
): Promise<{ leakedClusters: number }> {
  const filename = resolve(path);
  const node = { driver: 'qcow2', backing: null, file: { driver: 'file', filename } };
  let told: string;
  try {
    // -U: whoever reads from the layer meanwhile is in nobody's way.
    told = await qemuImg(['check', '--output=json', '-U', `json:${JSON.stringify(node)}`], { signal });
  } catch (error) {
    if (!(error instanceof CbtError)) throw error;
    const { exitCode } = error.details;
    const stdout = (error.cause as { stdout?: string } | undefined)?.stdout ?? '';
    if (exitCode === ERRORS_FOUND) {
      const found = numberOf(stdout, 'corruptions');
      throw new CbtError(
        'ERR_CBT_CORRUPT_IMAGE',
        `${path} is damaged: qemu-img check finds ${found} error(s)`,
        {
          details: { path, corruptions: found },
          cause: error,
        },
      );
    }
    if (exitCode !== ONLY_LEAKS) throw error;
    told = stdout;
  }
  return { leakedClusters: numberOf(told, 'leaks') };
}

function numberOf(json: string, name: string): number {
  try {
    const value = (JSON.parse(json) as Record<string, unknown>)[name];
    return typeof value === 'number' ? value : 0;
  } catch {
    return 0;
  }
}
