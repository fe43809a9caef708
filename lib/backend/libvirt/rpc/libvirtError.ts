/** What libvirt says when it refuses a call, kept whole: callers decide by its number. */
import { CbtError, type CbtErrorCode, type CbtReason } from '../../../core/errors.js';
import type { XdrReader } from './xdr.js';

/** Numbers of libvirt's errors (virterror.h) that something is decided by. */
export const VIR_ERR = {
  INTERNAL_ERROR: 1,
  NO_SUPPORT: 3,
  OPERATION_DENIED: 29,
  SYSTEM_ERROR: 38,
  RPC: 39,
  NO_DOMAIN: 42,
  AUTH_FAILED: 45,
  OPERATION_INVALID: 55,
  CONFIG_UNSUPPORTED: 67,
  OPERATION_TIMEOUT: 68,
  ARGUMENT_UNSUPPORTED: 74,
  AUTH_CANCELLED: 79,
  OPERATION_UNSUPPORTED: 84,
  AGENT_UNRESPONSIVE: 86,
  RESOURCE_BUSY: 87,
  ACCESS_DENIED: 88,
  AUTH_UNAVAILABLE: 94,
  NO_DOMAIN_CHECKPOINT: 103,
} as const;

const NOT_ABLE: readonly number[] = [
  VIR_ERR.NO_SUPPORT,
  VIR_ERR.CONFIG_UNSUPPORTED,
  VIR_ERR.ARGUMENT_UNSUPPORTED,
  VIR_ERR.OPERATION_UNSUPPORTED,
];

/** libvirt answered the call with an error. `details` holds `call` and `virErr` as well. */
export class LibvirtError extends CbtError {
  constructor(
    readonly call: string,
    /** Of virterror.h. */
    readonly virErr: number,
    /** Its own words. */
    readonly description: string,
  ) {
    const reason = reasonOf(virErr);
    super(codeOf(virErr), `libvirt refused ${call}: ${description}`, {
      ...(reason !== undefined && { reason }),
      details: { call, virErr, description },
    });
  }
}

/** Another call has the domain: it waits half a minute for that, and then says so. */
function reasonOf(virErr: number): CbtReason | undefined {
  const held = virErr === VIR_ERR.OPERATION_TIMEOUT || virErr === VIR_ERR.RESOURCE_BUSY;
  return held ? 'BUSY' : undefined;
}

function codeOf(virErr: number): CbtErrorCode {
  if (virErr === VIR_ERR.NO_DOMAIN) return 'ERR_CBT_INVALID_ARGUMENT';
  return NOT_ABLE.includes(virErr) ? 'ERR_CBT_UNSUPPORTED' : 'ERR_CBT_BACKEND_UNAVAILABLE';
}

const MAX_TEXT_BYTES = 4 * 1024 * 1024;
/** Messages of ours have an end. */
const MAX_SHOWN = 1000;

/** The error that a reply carries (remote_error); what follows the message is checked no further than that it can be there. */
export function readError(call: string, reader: XdrReader): LibvirtError {
  const virErr = reader.int();
  reader.int();
  const said = reader.optional(() => reader.message(MAX_TEXT_BYTES)) ?? 'it gives no reason';
  reader.int();
  return new LibvirtError(call, virErr, said.length > MAX_SHOWN ? `${said.slice(0, MAX_SHOWN)}…` : said);
}
