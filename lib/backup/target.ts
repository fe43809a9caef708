/**
 * The port of a place that holds backups as objects: a bucket, a web server, a folder. It keeps bytes by key, and knows nothing of disks. What
 * comes back from it is believed only as far as the sums of a run say so.
 */
import { CbtError, invalidArgument } from '../core/errors.js';
import type { Check } from '../core/options.js';

/** What every call of a target takes. */
export interface TargetCall {
  /** Fires when nobody wants the answer any more; the call ends with `ERR_CBT_ABORTED`. */
  signal?: AbortSignal | undefined;
}

/** How an object is written. */
export interface TargetWrite extends TargetCall {
  /** It has no more bytes than this. */
  atMostBytes: number;
}

/** Which part of an object is read; all of it unless given. */
export interface TargetRead extends TargetCall {
  /** Bytes from the start; 0 unless given. */
  offset?: number | undefined;
  /** Bytes; to the end unless given. */
  length?: number | undefined;
}

/**
 * Where backups go as objects. `folderTarget`, `s3Target` and `httpTarget` make one; a program may bring its own. Keys are made here: lower-case letters,
 * digits, `-`, `.` and `/`. Failures are thrown; a `CbtError` is handed on as it is.
 */
export interface BackupTarget {
  /** What it is called in messages; no secret. */
  readonly name: string;
  /**
   * Keeps the bytes under the key, a new one each time. Under the key is nothing, or all of it: also after a failure, and when the data ends with an error.
   * When it is done they are on stable storage, and every later call sees them.
   * @param key Name of the object.
   * @param data The bytes.
   * @param options What else is wanted; each option says what holds without it.
   * @throws What fails the disk, or the run.
   */
  write(key: string, data: AsyncIterable<Uint8Array>, options: TargetWrite): Promise<void>;
  /**
   * The bytes of an object in order, in pieces of any size; an object that is not there is an error.
   * @param key Name of the object.
   * @param options What else is wanted; each option says what holds without it.
   * @throws What fails the reader; where there is no such object too.
   */
  read(key: string, options?: TargetRead): AsyncIterable<Uint8Array>;
  /**
   * Every key that begins so, in any order.
   * @param prefix Names begin with it.
   * @param options What else is wanted; each option says what holds without it.
   * @throws What fails the reader.
   */
  list(prefix: string, options?: TargetCall): AsyncIterable<string>;
  /**
   * Takes an object away; one that is not there is none.
   * @param key Name of the object.
   * @param options What else is wanted; each option says what holds without it.
   * @throws What fails the caller.
   */
  remove(key: string, options?: TargetCall): Promise<void>;
}

/** A target, as every call that takes one looks at it. */
export const target: Check = (value, name) => {
  const found = (value ?? {}) as Partial<Record<string, unknown>>;
  const calls = ['write', 'read', 'list', 'remove'];
  if (typeof found['name'] !== 'string' || !calls.every((call) => typeof found[call] === 'function'))
    throw invalidArgument(name, value, 'a target, as folderTarget, s3Target and httpTarget make them');
};

/** A failure of the target as one of ours, with the object that it is about. */
export function targetFailed(of: BackupTarget, key: string, doing: string, error: unknown): CbtError {
  if (error instanceof CbtError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${of.name}: ${doing} ${key} failed: ${why}`, {
    details: { target: of.name, key },
    cause: error,
  });
}
