/** What every fault is. */
import { CbtError } from '../../core/errors.js';

/** The true reason of a fault; `key` is `qemu-cbt.` and the core's reason or code, else the fault's type. */
export interface LocalizableMessage {
  /** The reason by its code. */
  key: string;
  /** The reason in words. */
  message: string;
}

/**
 * A fault: an error with the properties of the API's data object. `instanceof` tells which, by its class or one that it inherits from;
 * `_type` is the name of its class, and so is `name`, but for faults that have a property of that name.
 * @example
 * ```ts
 * const vm = await connect({ vms: [{ name: 'web', qmpSocket: '/run/vms/web.qmp' }] }).findVm('web');
 * try {
 *   const snapshot = await vm?.CreateSnapshot_Task('nightly', '', false, true).wait();
 *   await snapshot?.RemoveSnapshot_Task(false).wait();
 * } catch (fault) {
 *   if (fault instanceof SnapshotFault) console.error(fault.msg, fault.faultMessage);
 *   else throw fault;
 * }
 * ```
 */
export class MethodFault extends Error {
  /** Name of the type in the API. */
  static readonly type: string = 'MethodFault';
  /** Name of its type in the API. */
  readonly _type: string;
  /** What went wrong, in words. */
  readonly msg: string;
  /** The fault that this one comes from. */
  readonly faultCause?: MethodFault;
  /** The true reason. */
  readonly faultMessage: readonly LocalizableMessage[];

  /**
   * `properties` become the fault's own; `cause` is what `faultMessage` tells, and what `faultCause` is where it is a fault.
   * @param message What went wrong, in words.
   * @param properties The properties of the API’s data object.
   * @param cause What it comes from.
   */
  constructor(message: string, properties: object = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this._type = new.target.type;
    this.name = this._type;
    this.msg = message;
    if (cause instanceof MethodFault) this.faultCause = cause;
    const key = cause instanceof CbtError ? (cause.reason ?? cause.code) : this._type;
    this.faultMessage = [
      { key: `qemu-cbt.${key}`, message: cause instanceof Error ? cause.message : message },
    ];
    Object.assign(this, properties);
  }

  /**
   * The fault as the API's data object.
   * @returns Plain data.
   */
  toJSON(): object {
    const { _type, faultCause, faultMessage, msg, message: _message, ...own } = this;
    // A fault's own `name` is a property of it; that of an error is its type.
    const { name, ...rest } = own as { name: string };
    return { _type, faultCause, faultMessage, msg, ...(name !== _type && { name }), ...rest };
  }
}
