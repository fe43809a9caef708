/** Faults of the API by their names, with whatever fields they must have. */
import { CbtError, type CbtReason } from '../../../core/errors.js';
import * as CLASSES from '../../../facade/vsphere/faultClasses.js';
import { type ManagedObjectReference, MethodFault } from '../../../facade/vsphere/index.js';
import { allFields, ENUMS, isReference } from '../../../facade/vsphere/schema/schema.js';

export type FaultClass = new (message: string, properties: object, cause?: unknown) => MethodFault;

/** By the names that they have in the API. */
export const FAULT_CLASSES: ReadonlyMap<string, FaultClass> = new Map(
  [MethodFault, ...Object.values(CLASSES)].map((one) => [one.type, one as FaultClass]),
);

/** A fault by its name, about an object; `reason` is what it stands for in the core. Null for a name that there is not. */
export function faultNamed(
  name: string,
  object: ManagedObjectReference,
  reason?: CbtReason,
): MethodFault | null {
  const Fault = FAULT_CLASSES.get(name);
  if (Fault === undefined) return null;
  const message = `${name}, as a rule of the simulator has it`;
  const needed = allFields(name)
    .filter(({ optional, since }) => !optional && since === null)
    .map(({ name: field, type }) => [field, sampleOf(type, field, object)]);
  const cause = reason === undefined ? undefined : new CbtError('ERR_CBT_TRACKING_LOST', message, { reason });
  return new Fault(message, Object.fromEntries(needed), cause);
}

function sampleOf(type: string, field: string, { type: of, value }: ManagedObjectReference): unknown {
  if (isReference(type)) return { type: of, value };
  return ENUMS.get(type)?.[0] ?? field;
}
