/**
 * Faults as the vSphere API names and shapes them. The core's codes and reasons are mapped in one table that does not compile
 * while a code is missing; the true reason always stands in `faultMessage`, which real hosts leave useless.
 */
import { CbtError, type CbtErrorCode } from '../../core/errors.js';

/** The true reason of a fault; `key` is `qemu-cbt.` and the core's reason or code. */
export interface LocalizableMessage {
  key: string;
  message: string;
}

/** Faults that the calls here end with, by the API's names. */
export type FaultName =
  | 'FileFault'
  | 'InvalidArgument'
  | 'NotFound'
  | 'ManagedObjectNotFound'
  | 'TaskInProgress'
  | 'ApplicationQuiesceFault'
  | 'InvalidState'
  | 'InvalidName'
  | 'InvalidPowerState'
  | 'SnapshotFault'
  | 'NotSupported'
  | 'GenericVmConfigFault'
  | 'RequestCanceled'
  | 'RuntimeFault';

/** What some faults say beside their message, by the API's names. */
export interface FaultProperties {
  /** InvalidArgument: the argument. */
  invalidProperty?: string;
  /** FileFault: the file. */
  file?: string;
  /** ManagedObjectNotFound: reference of the object. */
  obj?: string;
  /** TaskInProgress: what is in progress. */
  task?: string;
}

/** A fault; `name` is its type in the API, and it serialises as the API's data object. */
export class VimFault extends Error {
  override readonly name: FaultName;
  readonly faultMessage: readonly LocalizableMessage[];
  readonly invalidProperty?: string;
  readonly file?: string;
  readonly obj?: string;
  readonly task?: string;

  /** `properties` become the fault's own; `cause` is what `faultMessage` tells. */
  constructor(name: FaultName, message: string, properties: FaultProperties = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = name;
    const key = cause instanceof CbtError ? `qemu-cbt.${cause.reason ?? cause.code}` : `qemu-cbt.${name}`;
    this.faultMessage = [{ key, message: cause instanceof Error ? cause.message : message }];
    Object.assign(this, properties);
  }

  /** The fault as the API's data object, with its type in `_type`. */
  toJSON(): object {
    const { name, faultMessage, invalidProperty, file, obj, task } = this;
    return { _type: name, faultMessage, invalidProperty, file, obj, task };
  }
}

export function invalidArgument(property: string, message: string, cause?: unknown): VimFault {
  return new VimFault('InvalidArgument', message, { invalidProperty: property }, cause);
}

/** The one fault of a real host for "tracking is off, was reset, or never knew this changeId". */
export function fileFault(file: string, cause: CbtError | string): VimFault {
  const message = `Error caused by file ${file}`;
  return typeof cause === 'string'
    ? new VimFault('FileFault', message, { file }, new Error(cause))
    : new VimFault('FileFault', message, { file }, cause);
}

const FAULT: Record<CbtErrorCode, FaultName> = {
  ERR_CBT_INVALID_ARGUMENT: 'InvalidArgument',
  ERR_CBT_CLOSED: 'InvalidState',
  ERR_CBT_UNKNOWN_PIT: 'FileFault',
  ERR_CBT_TRACKING_LOST: 'FileFault',
  ERR_CBT_MAP_MISMATCH: 'FileFault',
  ERR_CBT_UNSUPPORTED: 'NotSupported',
  ERR_CBT_BACKEND_UNAVAILABLE: 'InvalidState',
  ERR_CBT_TIMEOUT: 'InvalidState',
  ERR_CBT_BACKEND_PROTOCOL: 'RuntimeFault',
  ERR_CBT_CORRUPT_IMAGE: 'FileFault',
  ERR_CBT_ABORTED: 'RequestCanceled',
  ERR_CBT_INTERNAL: 'RuntimeFault',
};

/** Any failure as a fault; `file` is what a FileFault blames. */
export function toFault(thrown: unknown, file = ''): VimFault {
  if (thrown instanceof VimFault) return thrown;
  if (!(thrown instanceof CbtError)) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new VimFault('RuntimeFault', message, {}, thrown);
  }
  const { task, argument } = thrown.details;
  if (thrown.reason === 'BUSY' && typeof task === 'string')
    return new VimFault('TaskInProgress', thrown.message, { task }, thrown);
  const name = FAULT[thrown.code];
  if (name === 'FileFault') return fileFault(file === '' ? (thrown.disk ?? '') : file, thrown);
  return new VimFault(
    name,
    thrown.message,
    name === 'InvalidArgument' ? { invalidProperty: typeof argument === 'string' ? argument : '' } : {},
    thrown,
  );
}
