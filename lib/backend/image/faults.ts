/**
 * Every refused field of an image is told the same way: which file, which field, the value found, and what it must be.
 * A fault is a value first, so that one bad bitmap can be reported beside its sound neighbours; thrown, it is a CbtError.
 */
import { CbtError, type CbtReason, trackingLost } from '../../core/errors.js';

/** One field that breaks a rule. */
export interface Fault {
  /** `corrupt`: the format forbids it. `unsupported`: a limit of QEMU's or ours. */
  kind: 'corrupt' | 'unsupported';
  /** Name of the field as the format's document spells it. */
  field: string;
  value: string | number;
  /** What the field must be, as it reads after "must be". */
  limit: string | number;
  /** What it costs a chain of points in time, where that is not the `FORMAT` of most. */
  reason?: CbtReason;
}

export function corrupt(field: string, value: string | number | bigint, limit: string | number): Fault {
  return { kind: 'corrupt', field, value: printable(value), limit };
}

export function unsupported(field: string, value: string | number | bigint, limit: string | number): Fault {
  return { kind: 'unsupported', field, value: printable(value), limit };
}

/** The sentence about a fault; `where` names the file, and the object inside it where there is one. */
export function describeFault(where: string, fault: Fault): string {
  return `${where}: ${fault.field} is ${fault.value}, must be ${fault.limit}`;
}

/** A fault as the error to throw; with a reason where it costs somebody a chain of points in time, and not the disk. */
export function faultError(where: string, fault: Fault, reason?: CbtReason): CbtError {
  const { kind, field, value, limit } = fault;
  const message = describeFault(where, fault);
  const details = { field, value, limit };
  if (kind === 'corrupt')
    return new CbtError('ERR_CBT_CORRUPT_IMAGE', message, { ...(reason && { reason }), details });
  if (reason !== undefined) return trackingLost(reason, message, { details });
  return new CbtError('ERR_CBT_UNSUPPORTED', message, { details });
}

/** Flag words and magics read better in hexadecimal. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

function printable(value: string | number | bigint): string | number {
  if (typeof value !== 'bigint') return value;
  const exact = Number(value);
  return Number.isSafeInteger(exact) ? exact : value.toString();
}
