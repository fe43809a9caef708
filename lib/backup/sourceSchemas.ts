/** What a source must answer, field by field; what does not fit is `ERR_CBT_BACKEND_PROTOCOL` and names the field. */
import { z } from 'zod';
import { REASONS } from '../core/errorCodes.js';
import { CbtError } from '../core/errors.js';
import { MAX_DEFINITION } from './manifest.js';
import type { ChainPoint, FailedDisk, SourceFacts, SourceSession } from './source.js';

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a UUID in lower case');
const text = z.string().min(1).max(4096);
const bytes = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const error = z.custom<CbtError>((value) => value instanceof CbtError, 'a CbtError');

const point = z.object({
  pit: uuid,
  sequence: z.number().int().positive().max(Number.MAX_SAFE_INTEGER),
  changeId: text,
});
const points = z.array(point);

const found = z.object({
  disk: text,
  image: text.nullable(),
  sizeBytes: bytes,
  epoch: uuid.nullable(),
  past: uuid.nullish(),
  points,
  error: error.optional(),
});

const facts = z.object({
  kind: z.enum(['vm', 'images']),
  name: z.string().max(4096).nullable(),
  uuid: z.string().max(4096).nullable(),
  definition: z.string().max(MAX_DEFINITION).optional(),
  disks: z.array(found),
  others: z.array(found),
});

const failed = z.array(z.object({ disk: text, error }));

const session = z.object({
  pit: uuid,
  disks: z.array(
    z.object({
      disk: text,
      sizeBytes: bytes,
      epoch: uuid.nullable(),
      changeId: text.nullable(),
      lost: z.object({ reason: z.enum(REASONS).nullable(), message: z.string() }).nullable(),
    }),
  ),
  failed,
  warnings: z.array(z.string()),
});

export function checkFacts(given: SourceFacts): SourceFacts {
  fits('facts', facts, given);
  distinct('facts', [...given.disks, ...given.others]);
  return given;
}

export function checkPoints(disk: string, given: readonly ChainPoint[]): readonly ChainPoint[] {
  fits(`points of ${disk}`, points, given);
  return given;
}

export function checkFailed(call: string, given: FailedDisk[]): FailedDisk[] {
  fits(call, failed, given);
  return given;
}

/** What the session says of itself; its point is the one that was asked for. */
export function checkSessionFacts(given: SourceSession, pit: string): void {
  fits('begin', session, given);
  if (given.pit !== pit)
    throw broken('begin', `pit is ${given.pit}, expected ${pit}, which it was asked to take`);
  distinct('begin', [...given.disks, ...given.failed]);
}

function fits(what: string, schema: z.ZodType, given: unknown): void {
  const result = schema.safeParse(given);
  if (result.success) return;
  const [issue] = result.error.issues;
  throw broken(what, `${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'wrong'}`);
}

function distinct(what: string, disks: readonly { disk: string }[]): void {
  const names = disks.map(({ disk }) => disk);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw broken(what, `the disk ${twice} is there twice`);
}

function broken(call: string, what: string): CbtError {
  return new CbtError(
    'ERR_CBT_BACKEND_PROTOCOL',
    `the source of the backup broke its rules: what ${call} gave does not fit: ${what}`,
  );
}
