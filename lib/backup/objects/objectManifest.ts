/**
 * The manifest of a run that is kept as objects. It is the one thing that makes a run exist, and is written last. Everything of a run is under keys that
 * its point in time makes unique, so that two runs at once never write to one object, and no manifest can point at another's.
 *
 *   runs/<when>-<pit>.json      manifest; <when> rises from run to run, whatever the clock does
 *   data/<pit>/<n>.data         what was stored of disk n: the bytes of its entries, one behind the other
 *   data/<pit>/<n>.sums         the entries: offset, length, SHA-256 or `zero`
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { REASONS } from '../../core/errorCodes.js';
import { CbtError } from '../../core/errors.js';

export const MAX_MANIFEST_BYTES = 4 << 20;

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const bytes = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const text = z.string().max(4096);
const RUN_KEY = /^runs\/(\d{8}t\d{9}z)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json$/;

const objectDiskSchema = z.strictObject({
  disk: text.min(1),
  sizeBytes: bytes.refine((n) => n % 512 === 0, 'a multiple of 512'),
  /** Null where nothing keeps points in time. */
  epoch: uuid.nullable(),
  changeId: text.nullable(),
  /** The place of the point in time in the epoch. */
  sequence: z.number().int().positive().max(Number.MAX_SAFE_INTEGER).nullable(),
  verdict: z.enum(['incremental', 'full']),
  reason: z.enum(REASONS).nullable(),
  message: text.nullable(),
  /** Number of its objects in the run. */
  object: z.number().int().nonnegative().max(4096),
  /** The run that it builds on; null for a full one. */
  base: text.nullable(),
  sums: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes }),
  /** What the change map told; what was stored of it; what of it were zeros. */
  changedBytes: bytes,
  storedBytes: bytes,
  zeroBytes: bytes,
});

const objectManifestSchema = z.strictObject({
  format: z.literal('qemu-cbt-objects'),
  version: z.literal(1),
  pit: uuid,
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  source: z.strictObject({ kind: z.enum(['vm', 'images']), name: text.nullable(), uuid: text.nullable() }),
  disks: z.array(objectDiskSchema).min(1).max(4096),
  failed: z.array(
    z.strictObject({ disk: text, code: text, reason: text.nullable(), message: z.string().max(65_536) }),
  ),
});

/** A disk in a run, as its manifest has it. Sizes in bytes. */
export type ObjectDisk = z.infer<typeof objectDiskSchema>;
/** What a run's manifest says; times are ISO 8601. */
export type ObjectManifest = z.infer<typeof objectManifestSchema>;

/** A run, with the key of its manifest: keys are in the order of the runs. */
export interface ObjectRun {
  /** Key of its manifest. */
  key: string;
  /** What it says. */
  manifest: ObjectManifest;
}

/** A disk of a run. */
export interface ObjectLayer {
  run: ObjectRun;
  disk: ObjectDisk;
}

/** The key of a run's manifest: after every other's. */
export function runKey(startedAt: Date, pit: string, others: readonly string[]): string {
  const last = others.reduce((latest, key) => (key > latest ? key : latest), '');
  const [, when = ''] = RUN_KEY.exec(last) ?? [];
  const known = Date.parse(when.replace(/^(....)(..)(..)t(..)(..)(..)(...)z$/, '$1-$2-$3T$4:$5:$6.$7Z'));
  const at = new Date(Math.max(startedAt.getTime(), Number.isNaN(known) ? 0 : known + 1));
  return `runs/${at.toISOString().toLowerCase().replaceAll(/[-:.]/g, '')}-${pit}.json`;
}

/** Whether a key is that of a manifest. */
export function isRunKey(key: string): boolean {
  return RUN_KEY.test(key);
}

/** The point in time that a manifest's key says. */
export function pitOfKey(key: string): string {
  return RUN_KEY.exec(key)?.[2] ?? '';
}

/** The keys of a disk's objects. */
export function layerKeys({ run, disk }: ObjectLayer): { data: string; sums: string } {
  return keysOf(run.manifest.pit, disk.object);
}

export function keysOf(pit: string, object: number): { data: string; sums: string } {
  return { data: `data/${pit}/${object}.data`, sums: `data/${pit}/${object}.sums` };
}

export function formatObjectManifest(manifest: ObjectManifest): string {
  const checked = objectManifestSchema.parse(manifest);
  return `${JSON.stringify({ ...checked, checksum: checksumOf(checked) }, null, 2)}\n`;
}

/** Throws `ERR_CBT_CORRUPT_IMAGE` naming the field. */
export function parseObjectManifest(content: string, key: string): ObjectManifest {
  const fail = (what: string): never => {
    throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${key} is damaged: ${what}`, { details: { key } });
  };
  let raw: unknown;
  try {
    raw = JSON.parse(content);
  } catch (error) {
    fail(`it is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  const { checksum, ...body } = (raw ?? {}) as Record<string, unknown>;
  const result = objectManifestSchema.safeParse(body);
  if (!result.success) {
    const [issue] = result.error.issues;
    return fail(`${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'wrong'}`);
  }
  if (checksum !== checksumOf(body)) fail('its checksum is not that of its content');
  const manifest = result.data;
  if (RUN_KEY.exec(key)?.[2] !== manifest.pit)
    fail(`its point in time is ${manifest.pit}, its key says another`);
  const names = new Set<string>();
  const objects = new Set<number>();
  for (const [i, { disk, object, verdict, base }] of manifest.disks.entries()) {
    if (names.has(disk) || objects.has(object)) fail(`disks.${i}: ${disk}, or its object, is there twice`);
    names.add(disk);
    objects.add(object);
    if ((verdict === 'incremental') !== (base !== null))
      fail(`disks.${i}.base: an incremental run has one, and a full run has none`);
    if (base !== null && !(isRunKey(base) && base < key))
      fail(`disks.${i}.base is ${base}, expected an earlier run`);
  }
  return manifest;
}

function checksumOf(body: object): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex');
}
