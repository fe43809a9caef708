/**
 * Faults as the vSphere API names and shapes them. The core's codes and reasons are mapped in one table that does not compile
 * while a code is missing; the true reason always stands in `faultMessage`, which real hosts leave useless.
 */
import { CbtError, type CbtErrorCode } from '../../core/errors.js';
import {
  FileFault,
  InvalidArgument,
  InvalidState,
  ManagedObjectNotFound,
  NotSupported,
  RequestCanceled,
  RuntimeFault,
  TaskInProgress,
} from './faultClasses.js';
import { MethodFault } from './methodFault.js';
import type { ManagedObjectReference } from './reference.js';

/** A fault of the caller's: `property` names the argument. */
export function invalidArgument(property: string, message: string, cause?: unknown): InvalidArgument {
  return new InvalidArgument(message, { invalidProperty: property }, cause);
}

/** The one fault of a real host for "tracking is off, was reset, or never knew this changeId". */
export function fileFault(file: string, cause: CbtError | string): FileFault {
  const reason = typeof cause === 'string' ? new Error(cause) : cause;
  return new FileFault(`Error caused by file ${file}`, { file }, reason);
}

/** Nothing has this reference. */
export function objectNotFound({ type, value }: ManagedObjectReference): ManagedObjectNotFound {
  return new ManagedObjectNotFound(`${type} ${value} is not there, or not any more`, {
    obj: { type, value },
  });
}

/** Somebody else changes or holds the VM; `task` says what he does, and stands where a host has the reference of his task. */
export function taskInProgress(message: string, task: string, cause?: unknown): TaskInProgress {
  return new TaskInProgress(message, { task: { type: 'Task', value: task } }, cause);
}

type Make = (thrown: CbtError, file: string) => MethodFault;

const plainly =
  (Fault: new (message: string, properties: object, cause: unknown) => MethodFault): Make =>
  (thrown) =>
    new Fault(thrown.message, {}, thrown);
const ofFile: Make = (thrown, file) => fileFault(file === '' ? (thrown.disk ?? '') : file, thrown);

const FAULT: Record<CbtErrorCode, Make> = {
  ERR_CBT_INVALID_ARGUMENT: (thrown) => {
    const { argument } = thrown.details;
    return invalidArgument(typeof argument === 'string' ? argument : '', thrown.message, thrown);
  },
  ERR_CBT_CLOSED: plainly(InvalidState),
  ERR_CBT_UNKNOWN_PIT: ofFile,
  ERR_CBT_TRACKING_LOST: ofFile,
  ERR_CBT_MAP_MISMATCH: ofFile,
  ERR_CBT_UNSUPPORTED: plainly(NotSupported),
  ERR_CBT_BACKEND_UNAVAILABLE: plainly(InvalidState),
  ERR_CBT_CONNECTION_LOST: plainly(InvalidState),
  ERR_CBT_TIMEOUT: plainly(InvalidState),
  ERR_CBT_BACKEND_PROTOCOL: plainly(RuntimeFault),
  ERR_CBT_CORRUPT_IMAGE: ofFile,
  ERR_CBT_NOT_DONE: plainly(InvalidState),
  ERR_CBT_ABORTED: plainly(RequestCanceled),
  ERR_CBT_INTERNAL: plainly(RuntimeFault),
};

/** Any failure as a fault; `file` is what a FileFault blames. */
export function toFault(thrown: unknown, file = ''): MethodFault {
  if (thrown instanceof MethodFault) return thrown;
  if (!(thrown instanceof CbtError))
    return new RuntimeFault(thrown instanceof Error ? thrown.message : String(thrown), {}, thrown);
  const { task } = thrown.details;
  if (thrown.reason === 'BUSY' && typeof task === 'string')
    return taskInProgress(thrown.message, task, thrown);
  return FAULT[thrown.code](thrown, file);
}
