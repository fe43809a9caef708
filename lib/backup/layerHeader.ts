/** What the header of a layer's qcow2 file says, held against the manifest. */
import { z } from 'zod';
import { CbtError } from '../core/errors.js';
import { qemuImg } from '../imageTool.js';
import { CLUSTER_BYTES } from './manifest.js';

const infoSchema = z.object({
  format: z.string(),
  'virtual-size': z.number(),
  'cluster-size': z.number().optional(),
  'backing-filename': z.string().optional(),
  'backing-filename-format': z.string().optional(),
});

/** Checks that the file's header says what the manifest does: size, and the layer below by relative name and format. */
export async function requireLayerHeader(
  folder: string,
  name: string,
  expected: { sizeBytes: number; base: string | null },
  signal?: AbortSignal,
): Promise<void> {
  const fail = (what: string): never => {
    throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${name}: ${what}`, { details: { file: name } });
  };
  const printed = await qemuImg(['info', '--output=json', '-f', 'qcow2', '-U', name], {
    cwd: folder,
    signal,
  });
  const info = infoSchema.safeParse(JSON.parse(printed));
  if (!info.success) return fail('qemu-img tells nothing of it that could be understood');
  const found = info.data;
  if (found['virtual-size'] !== expected.sizeBytes)
    fail(`its header says ${found['virtual-size']} bytes, the manifest ${expected.sizeBytes}`);
  if (found['cluster-size'] !== CLUSTER_BYTES)
    fail(`its clusters have ${found['cluster-size']} bytes, expected ${CLUSTER_BYTES}`);
  const backing = found['backing-filename'] ?? null;
  if (backing !== expected.base)
    fail(`its backing file is ${backing ?? 'none'}, the manifest says ${expected.base ?? 'none'}`);
  if (backing !== null && found['backing-filename-format'] !== 'qcow2')
    fail(`its backing format is ${found['backing-filename-format'] ?? 'not said'}, expected qcow2`);
}
