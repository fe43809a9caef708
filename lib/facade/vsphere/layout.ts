/** The files of a VM, as far as they are files of this machine. */
import { stat } from 'node:fs/promises';
import type { DiskFacts } from './diskFacts.js';
import { fileNameOf } from './shapes.js';
import type { VirtualMachineFileLayoutEx } from './types.js';

export async function layoutOf(
  disks: readonly (DiskFacts & { key: number })[],
): Promise<VirtualMachineFileLayoutEx> {
  const layout: VirtualMachineFileLayoutEx = { file: [], disk: [], timestamp: new Date().toISOString() };
  const keys = new Map<string, number>();
  const keyOf = async (path: string): Promise<number> => {
    const known = keys.get(path);
    if (known !== undefined) return known;
    const key = keys.size;
    keys.set(path, key);
    // A URI, or a file that is gone: its size is not known.
    const found = await stat(path).catch(() => null);
    layout.file.push({
      key,
      name: fileNameOf(path),
      type: 'diskExtent',
      size: found?.size ?? 0,
      uniqueSize: (found?.blocks ?? 0) * 512,
      accessible: found !== null,
    });
    return key;
  };
  for (const { key, path, parents } of disks) {
    const chain: { fileKey: number[] }[] = [];
    // The base first, as the API has it.
    for (const file of [...parents].reverse().concat(path ?? []))
      chain.push({ fileKey: [await keyOf(file)] });
    layout.disk.push({ key, chain });
  }
  return layout;
}
