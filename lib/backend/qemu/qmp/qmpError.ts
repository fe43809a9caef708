/**
 * What QEMU says when it refuses a command, kept whole: callers decide by command, class and text, because most of
 * QEMU's errors share the class GenericError.
 */
import { CbtError, type CbtErrorCode } from '../../../core/errors.js';

/** QEMU, or the guest agent, answered the command with an error. `details` holds `command` and `qmpClass` as well. */
export class QmpCommandError extends CbtError {
  constructor(
    readonly command: string,
    /** 'GenericError', 'CommandNotFound', 'DeviceNotFound', … */
    readonly qmpClass: string,
    /** Its own words. */
    readonly description: string,
    who = 'QEMU',
  ) {
    super(codeOf(qmpClass), `${who} refused ${command}: ${description}`, {
      ...(isHeld(description) ? { reason: 'BUSY' as const } : {}),
      details: { command, qmpClass, description },
    });
  }

  /** One of another copy of the library too: they share connections. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return CbtError.is(value) && 'qmpClass' in value && 'description' in value;
  }
}

function codeOf(qmpClass: string): CbtErrorCode {
  return qmpClass === 'CommandNotFound' ? 'ERR_CBT_UNSUPPORTED' : 'ERR_CBT_BACKEND_UNAVAILABLE';
}

/**
 * Texts of QEMU 7.2 for "somebody else holds it": image locks ("Failed to get \"write\" lock"), node permissions
 * ("Conflicts with use by …", "Permission conflict on node"), nodes and bitmaps in use, a running block job.
 */
export function isHeld(description: string): boolean {
  return /Failed to get .*lock|Permission conflict|Conflicts with use by|is (currently )?in use|is busy|block device is in use/i.test(
    description,
  );
}
