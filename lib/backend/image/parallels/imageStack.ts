/** How the images of a descriptor stack: from the top image down to the root, each Shot naming its parent. */
import { corrupt, faultError, unsupported } from '../faults.js';
import { MAX_LAYERS } from '../stack.js';
import { type DescriptorImage, type DiskDescriptor, NO_PARENT } from './descriptor.js';

/** The images from `guid` down, top first. Throws where the stack is not whole, one, and finite. */
export function stackImages(where: string, descriptor: DiskDescriptor, guid: string): DescriptorImage[] {
  const byGuid = new Map<string, DescriptorImage>();
  for (const image of descriptor.images) {
    if (byGuid.has(image.guid)) {
      throw faultError(where, corrupt('Image/GUID', image.guid, 'unlike that of every other Image'));
    }
    byGuid.set(image.guid, image);
  }
  const stack: DescriptorImage[] = [];
  const seen = new Set<string>();
  let at = guid;
  do {
    if (seen.has(at))
      throw faultError(where, corrupt('ParentGUID', at, 'not that of an image above: a ring'));
    seen.add(at);
    if (seen.size > MAX_LAYERS) {
      throw faultError(where, unsupported('images in the chain', 'more', `at most ${MAX_LAYERS}`));
    }
    const image = byGuid.get(at);
    if (image === undefined)
      throw faultError(where, corrupt('GUID in the chain', at, 'the GUID of an Image'));
    stack.push(image);
    at = parentOf(where, descriptor, at);
  } while (at !== NO_PARENT);
  return stack;
}

function parentOf(where: string, { images, parents }: DiskDescriptor, guid: string): string {
  const parent = parents.get(guid);
  if (parent !== undefined) return parent;
  if (parents.size === 0 && images.length === 1) return NO_PARENT;
  throw faultError(where, corrupt('GUID in the chain', guid, 'the GUID of a Shot, which tells its parent'));
}
