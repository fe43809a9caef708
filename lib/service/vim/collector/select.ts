/**
 * Which objects a filter reports, and which of their properties: from each object of `objectSet` along its traversals, each object
 * once. Ends also where objects and traversals go in circles, and refuses more objects than a filter may have.
 */
import { invalidArgument, objectNotFound } from '../../../facade/vsphere/faults.js';
import { InvalidArgument, type ManagedObjectReference } from '../../../facade/vsphere/index.js';
import { isA, isReference, TYPES } from '../../../facade/vsphere/schema/schema.js';
import type { Reading } from '../reading.js';
import type { WireObject } from '../wireObject.js';
import { checkPath, readPath, servedProperties } from './paths.js';

/** As they come over the wire. */
export interface SelectionSpec {
  _type: string;
  name?: string;
}
export interface TraversalSpec extends SelectionSpec {
  type: string;
  path: string;
  skip?: boolean;
  selectSet: SelectionSpec[];
}
export interface PropertySpec {
  type: string;
  all?: boolean;
  pathSet: string[];
}
export interface ObjectSpec {
  obj: ManagedObjectReference;
  skip?: boolean;
  selectSet: SelectionSpec[];
}
export interface FilterSpec {
  propSet: PropertySpec[];
  objectSet: ObjectSpec[];
  reportMissingObjectsInResults?: boolean;
}

/** An object that is reported, with the paths that are wanted of it. */
export interface Selected {
  object: WireObject;
  paths: readonly string[];
}

export type Find = (reference: ManagedObjectReference) => Promise<WireObject | null>;

const MOST_OBJECTS = 100_000;
const MOST_STEPS = 1_000_000;

/** `InvalidProperty` for a path that objects of its type cannot have. */
export function checkSpec({ propSet, objectSet }: FilterSpec): void {
  for (const { type, pathSet } of propSet)
    if (TYPES.has(type)) for (const path of pathSet) checkPath(type, path);
  for (const { selectSet } of objectSet) named(selectSet);
}

/** `ManagedObjectNotFound` where an object that it starts from is not there, unless those are to be left out. */
export async function select(spec: FilterSpec, find: Find, reading: Reading): Promise<Selected[]> {
  const reported = new Map<string, WireObject>();
  let steps = 0;
  for (const { obj, skip = false, selectSet } of spec.objectSet) {
    const start = await find(obj);
    if (start === null) {
      if (spec.reportMissingObjectsInResults === true) continue;
      throw objectNotFound(obj);
    }
    const traversals = named(selectSet);
    const seen = new Set<string>();
    const open: { object: WireObject; skip: boolean; next: readonly SelectionSpec[] }[] = [
      { object: start, skip, next: selectSet },
    ];
    // Grows while it is walked, so that nearer objects come first.
    for (const { object, next, skip: isSkipped } of open) {
      if (!isSkipped) reported.set(`${object.type} ${object.value}`, object);
      if (reported.size > MOST_OBJECTS)
        throw invalidArgument('objectSet', `more than ${MOST_OBJECTS} objects`);
      for (const selection of next) {
        for (const traversal of meant(selection, traversals)) {
          if (!object.is(traversal.type)) continue;
          const key = `${object.value} ${traversals.order.get(traversal) ?? -1}`;
          if (seen.has(key)) continue;
          seen.add(key);
          for (const reference of await targets(object, traversal.path, reading)) {
            steps += 1;
            if (steps > MOST_STEPS) throw invalidArgument('selectSet', `more than ${MOST_STEPS} steps`);
            const found = await find(reference);
            if (found !== null)
              open.push({ object: found, skip: traversal.skip ?? false, next: traversal.selectSet });
          }
        }
      }
    }
  }
  return [...reported.values()].flatMap((object) => {
    const paths = pathsOf(object, spec.propSet);
    return paths === null ? [] : [{ object, paths }];
  });
}

interface Traversals {
  byName: ReadonlyMap<string, readonly TraversalSpec[]>;
  order: ReadonlyMap<TraversalSpec, number>;
}

/** All traversals of an object spec, by name where they have one. */
function named(selectSet: readonly SelectionSpec[]): Traversals {
  const byName = new Map<string, TraversalSpec[]>();
  const order = new Map<TraversalSpec, number>();
  const open = [...selectSet];
  for (let spec = open.pop(); spec !== undefined; spec = open.pop()) {
    if (!isTraversal(spec)) continue;
    order.set(spec, order.size);
    if (spec.name !== undefined) byName.set(spec.name, [...(byName.get(spec.name) ?? []), spec]);
    open.push(...spec.selectSet);
  }
  return { byName, order };
}

function isTraversal(spec: SelectionSpec): spec is TraversalSpec {
  return isA(spec._type, 'TraversalSpec');
}

function meant(spec: SelectionSpec, { byName }: Traversals): readonly TraversalSpec[] {
  if (isTraversal(spec)) return [spec];
  const found = byName.get(spec.name ?? '');
  if (found !== undefined) return found;
  throw new InvalidArgument(`no traversal is named ${JSON.stringify(spec.name ?? '')}`, {
    invalidProperty: 'selectSet.name',
  });
}

/** The objects that a property of references names. */
async function targets(
  object: WireObject,
  path: string,
  reading: Reading,
): Promise<readonly ManagedObjectReference[]> {
  const found = await readPath(object, path, reading);
  if (found === null || !isReference(found.type.replace(/\[\]$/, ''))) return [];
  return (Array.isArray(found.value) ? found.value : [found.value]) as ManagedObjectReference[];
}

/** The paths that rows of `propSet` want of an object; null where no row is of its type. */
function pathsOf(object: WireObject, propSet: readonly PropertySpec[]): string[] | null {
  const rows = propSet.filter(({ type }) => object.is(type));
  if (rows.length === 0) return null;
  const paths = rows.flatMap(({ all, pathSet }) => (all === true ? servedProperties(object) : pathSet));
  return [...new Set(paths)];
}
