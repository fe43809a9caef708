/** What is reported of an object: the values at its paths, and what could not be read of it. */
import { ofEach } from '../../../core/ofEach.js';
import { toFault } from '../../../facade/vsphere/faults.js';
import { InvalidProperty, type MethodFault } from '../../../facade/vsphere/index.js';
import type { Reading } from '../reading.js';
import type { Typed } from '../soap/writeValue.js';
import type { WireObject } from '../wireObject.js';
import { readPath } from './paths.js';
import { type FilterSpec, type Find, type Selected, select } from './select.js';

export interface DynamicProperty {
  name: string;
  val: Typed;
}
export interface MissingProperty {
  path: string;
  fault: MethodFault;
}
export interface ObjectContent {
  obj: WireObject;
  propSet: DynamicProperty[];
  missingSet: MissingProperty[];
}

/** Unset properties are left out. `InvalidProperty` ends it; anything else that fails is in `missingSet`. */
export async function contentOf({ object, paths }: Selected, reading: Reading): Promise<ObjectContent> {
  const content: ObjectContent = { obj: object, propSet: [], missingSet: [] };
  for (const path of paths) {
    try {
      const val = await readPath(object, path, reading);
      if (val !== null) content.propSet.push({ name: path, val });
    } catch (thrown) {
      if (thrown instanceof InvalidProperty) throw thrown;
      content.missingSet.push({ path, fault: toFault(thrown) });
    }
  }
  return content;
}

/** Everything that filters report, in order. */
export async function retrieve(
  specs: readonly FilterSpec[],
  find: Find,
  reading: Reading,
): Promise<ObjectContent[]> {
  const selected: Selected[] = [];
  for (const spec of specs) selected.push(...(await select(spec, find, reading)));
  return ofEach(selected, (one) => contentOf(one, reading));
}
