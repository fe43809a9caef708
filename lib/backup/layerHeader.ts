/**
 * What a layer's qcow2 file is, held against the manifest before anybody opens it for more: a regular file of plain
 * clusters that names the layer below and no other file. Whoever can write into the folder can write headers, and QEMU
 * goes where a header says.
 */
import { CbtError } from '../core/errors.js';
import { PlainImage } from '../host/plainImage.js';
import { isMissing, onFile } from './fileFault.js';
import { CLUSTER_BYTES } from './manifest.js';

/** What the manifests say of a layer's file. */
export interface ExpectedHeader {
  /** Null where any is right: a merge changes the size of the file it writes into. */
  sizeBytes: number | null;
  /** Name of the layer below; null for none. */
  base: string | null;
}

/** Opens a layer's file after its header was found to be as expected; else `ERR_CBT_CORRUPT_IMAGE`. */
export async function openLayerFile(path: string, expected: ExpectedHeader): Promise<PlainImage> {
  const image = await onFile(path, 'opening', () =>
    PlainImage.open(path).catch((error: unknown) => {
      throw isMissing(error) ? wrong(path, 'it is missing') : error;
    }),
  );
  try {
    requireExpected(path, image, expected);
    return image;
  } catch (error) {
    await image.close();
    throw error;
  }
}

/** Looks at a layer's header and closes the file again. */
export async function requireLayerFile(
  path: string,
  expected: ExpectedHeader,
): Promise<{ sizeBytes: number; fileBytes: number }> {
  const image = await openLayerFile(path, expected);
  await image.close();
  return image;
}

function requireExpected(path: string, image: PlainImage, { sizeBytes, base }: ExpectedHeader): void {
  if (sizeBytes !== null && image.sizeBytes !== sizeBytes)
    throw wrong(path, `its header says ${image.sizeBytes} bytes, the manifest ${sizeBytes}`);
  if (image.clusterBytes !== CLUSTER_BYTES)
    throw wrong(path, `its clusters have ${image.clusterBytes} bytes, expected ${CLUSTER_BYTES}`);
  const { backing } = image;
  if ((backing?.name ?? null) !== base)
    throw wrong(path, `its backing file is ${backing?.name ?? 'none'}, the manifest says ${base ?? 'none'}`);
  if (backing !== null && backing.format !== 'qcow2')
    throw wrong(path, `its backing format is ${backing.format ?? 'not said'}, expected qcow2`);
}

function wrong(path: string, what: string): CbtError {
  return new CbtError('ERR_CBT_CORRUPT_IMAGE', `${path}: ${what}`, { details: { path } });
}
