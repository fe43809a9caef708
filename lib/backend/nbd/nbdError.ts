/**
 * Errors of the NBD addon as {@link CbtError}s, with the same code and facts. What a server of ours said on its way out is
 * read for one thing: that somebody else holds the image, which passes by itself.
 */
import { CbtError, type CbtErrorCode, type CbtErrorDetails, type CbtReason } from '../../core/errors.js';

/** Codes the addon can end with. */
const CODES: ReadonlySet<string> = new Set<CbtErrorCode>([
  'ERR_CBT_INVALID_ARGUMENT',
  'ERR_CBT_UNSUPPORTED',
  'ERR_CBT_BACKEND_UNAVAILABLE',
  'ERR_CBT_BACKEND_PROTOCOL',
  'ERR_CBT_TIMEOUT',
  'ERR_CBT_CLOSED',
  'ERR_CBT_ABORTED',
  'ERR_CBT_INTERNAL',
]);

interface CodedError extends Error {
  code: CbtErrorCode;
  details: CbtErrorDetails;
}

/** QEMU's words when an image is locked, block/file-posix.c. */
const LOCKED = /Failed to get .*lock/;

export function toCbtError(thrown: unknown, signal?: AbortSignal): CbtError {
  if (thrown instanceof CbtError) return thrown;
  if (!isCoded(thrown)) {
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    return new CbtError('ERR_CBT_INTERNAL', `the NBD addon failed: ${text}`, { cause: thrown });
  }
  const { code, message, details } = thrown;
  const aborted = code === 'ERR_CBT_ABORTED' && signal?.aborted;
  const server = details['server'];
  const busy = typeof server === 'string' && LOCKED.test(server);
  return new CbtError(code, message, {
    details,
    ...(busy && { reason: 'BUSY' satisfies CbtReason }),
    ...(aborted && { cause: signal.reason }),
  });
}

/**
 * The same of a connection that stood: that it went away is another thing than that nobody could be reached. What the server refused, and
 * what there was no memory for, leaves it standing.
 */
export function failureOfOpen(thrown: unknown, signal?: AbortSignal): CbtError {
  if (thrown instanceof CbtError) return thrown;
  const error = toCbtError(thrown, signal);
  const stands = 'command' in error.details || error.details['errno'] === 'ENOMEM';
  if (error.code !== 'ERR_CBT_BACKEND_UNAVAILABLE' || stands) return error;
  const { message, details } = error;
  return new CbtError('ERR_CBT_CONNECTION_LOST', `${message}: open the data anew`, { details });
}

function isCoded(thrown: unknown): thrown is CodedError {
  return thrown instanceof Error && CODES.has((thrown as Partial<CodedError>).code ?? '');
}
