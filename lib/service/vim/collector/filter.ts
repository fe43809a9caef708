/**
 * A filter that is watched: what it reported last, and of each value the version at which it came to be. An update is everything
 * newer than the version that a client names, so an answer that got lost can be asked again, and no client eats another's.
 */
import type { ManagedObjectReference } from '../../../facade/vsphere/index.js';
import type { Reading } from '../reading.js';
import type { Typed } from '../soap/writeValue.js';
import type { WireObject } from '../wireObject.js';
import { type ObjectContent, retrieve } from './content.js';
import type { FilterSpec, Find } from './select.js';

export interface PropertyChange {
  name: string;
  op: 'assign' | 'remove';
  val?: Typed;
}
export interface ObjectUpdate {
  kind: 'enter' | 'modify' | 'leave';
  obj: ManagedObjectReference;
  changeSet: PropertyChange[];
  missingSet?: ObjectContent['missingSet'];
}

interface Known {
  object: WireObject;
  /** Version at which it came, or came back. */
  entered: number;
  /** Version at which it left; null while it is there. */
  left: number | null;
  missing: ObjectContent['missingSet'];
  values: Map<string, { val: Typed | null; text: string; version: number }>;
}

/** Objects that are remembered after they left, so that an older version can be asked for. */
const MOST_LEFT = 1000;

/** One filter of a collector. */
export class Filter {
  readonly #known = new Map<string, Known>();
  #refreshing: Promise<void> | null = null;

  constructor(
    readonly spec: FilterSpec,
    readonly partialUpdates: boolean,
  ) {}

  /** Looks anew; what changed gets the version that `next` gives, which is asked only if something did. */
  refresh(find: Find, reading: Reading, next: () => number): Promise<void> {
    // Two that wait side by side look one after the other: a look that began before is no look at now.
    const turn = (this.#refreshing ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.#look(find, reading, next));
    this.#refreshing = turn;
    return turn;
  }

  async #look(find: Find, reading: Reading, next: () => number): Promise<void> {
    // An object that is gone leaves; it does not end the wait for the others.
    const spec = { ...this.spec, reportMissingObjectsInResults: true };
    const contents = await retrieve([spec], find, reading);
    let drawn: number | null = null;
    const version = (): number => {
      drawn ??= next();
      return drawn;
    };
    const seen = new Set<string>();
    for (const content of contents) {
      const key = `${content.obj.type} ${content.obj.value}`;
      seen.add(key);
      this.#note(key, content, version);
    }
    for (const [key, known] of this.#known) if (known.left === null && !seen.has(key)) known.left = version();
    this.#forget();
  }

  #note(key: string, { obj, propSet, missingSet }: ObjectContent, version: () => number): void {
    let known = this.#known.get(key);
    if (known === undefined || known.left !== null) {
      known = { object: obj, entered: version(), left: null, missing: missingSet, values: new Map() };
      this.#known.set(key, known);
    }
    known.missing = missingSet;
    const now = new Set<string>();
    for (const { name, val } of propSet) {
      now.add(name);
      const text = textOf(val);
      if (known.values.get(name)?.text !== text) known.values.set(name, { val, text, version: version() });
    }
    // What could not be read this time has not changed for all that is known.
    for (const { path } of missingSet) now.add(path);
    for (const [name, value] of known.values)
      if (value.val !== null && !now.has(name))
        known.values.set(name, { val: null, text: '', version: version() });
  }

  #forget(): void {
    const gone = [...this.#known].filter(([, { left }]) => left !== null);
    for (const [key] of gone.slice(0, Math.max(0, gone.length - MOST_LEFT))) this.#known.delete(key);
  }

  /** Everything newer than a version. */
  since(version: number): ObjectUpdate[] {
    const updates: ObjectUpdate[] = [];
    for (const { object, entered, left, values, missing } of this.#known.values()) {
      if (left !== null) {
        // Whoever never saw it enter is not told that it left.
        if (left > version && entered <= version) updates.push({ kind: 'leave', obj: object, changeSet: [] });
        continue;
      }
      const isNew = entered > version;
      const changeSet: PropertyChange[] = [];
      for (const [name, value] of values) {
        if (value.version <= version || (isNew && value.val === null)) continue;
        changeSet.push(value.val === null ? { name, op: 'remove' } : { name, op: 'assign', val: value.val });
      }
      if (isNew)
        updates.push({
          kind: 'enter',
          obj: object,
          changeSet,
          ...(missing.length > 0 && { missingSet: missing }),
        });
      else if (changeSet.length > 0) updates.push({ kind: 'modify', obj: object, changeSet });
    }
    return updates;
  }
}

/** What a value is, to be compared; objects are their references in it. When it was looked at is no part of it. */
function textOf({ value, type }: Typed): string {
  return `${type} ${JSON.stringify(value, (key, part: unknown) => (key === 'timestamp' ? undefined : part))}`;
}
