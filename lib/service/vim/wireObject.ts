/** An object as a client sees it: its reference, and its properties, each read when it is asked for. */
import { InvalidProperty, ManagedObject } from '../../facade/vsphere/index.js';
import { allFields, isA } from '../../facade/vsphere/schema/schema.js';
import type { Reading } from './reading.js';

/** Reads one property; undefined where it is unset. */
export type Read = (reading: Reading) => unknown;
/** By the names of the API, those that are served. */
export type Properties = Readonly<Record<string, Read>>;

/** An object of the inventory, of the service or of a session. */
export class WireObject extends ManagedObject {
  constructor(
    readonly type: string,
    readonly value: string,
    readonly properties: Properties,
  ) {
    super();
  }

  /** The value of a property; undefined where it is unset, or not served. `InvalidProperty` where the API's type has none of this name. */
  async read(name: string, reading: Reading): Promise<unknown> {
    if (Object.hasOwn(this.properties, name)) return await this.properties[name]?.(reading);
    if (allFields(this.type).some((field) => field.name === name)) return undefined;
    throw new InvalidProperty(`${this.type} has no property ${name}`, { name });
  }

  /** Whether its type is this one, or inherits from it. */
  is(type: string): boolean {
    return type === 'ManagedObject' || isA(this.type, type);
  }
}

/** What every object of the inventory has beside its name and its place. */
export const ENTITY: Properties = {
  overallStatus: () => 'green',
  configStatus: () => 'green',
  configIssue: () => [],
  customValue: () => [],
  value: () => [],
  availableField: () => [],
  effectiveRole: () => [-1],
  permission: () => [],
  disabledMethod: () => [],
  recentTask: () => [],
  declaredAlarmState: () => [],
  triggeredAlarmState: () => [],
  alarmActionsEnabled: () => true,
  tag: () => [],
};

/** A name as it stands in inventory paths. */
export function pathName(name: string): string {
  return name.replace(/[/%\\]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);
}
