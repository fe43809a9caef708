/**
 * The manifest of a run: which disks, from which points in time, in which files, and what they build on. It is the one
 * thing that makes a run exist. Its own checksum tells any damage that would still read as a manifest.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { REASONS } from '../core/errorCodes.js';
import { CbtError } from '../core/errors.js';
import { isKey, layerName, MAX_RUN, sumsName } from './names.js';

/** Unit of everything that is copied: qcow2's default cluster. Ranges are widened to it, so a layer stands on its own. */
export const CLUSTER_BYTES = 65_536;

export const MAX_MANIFEST_BYTES = 4 << 20;
/** Characters of what a VM is made from. */
export const MAX_DEFINITION = 1 << 20;

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const run = z.number().int().positive().max(MAX_RUN);
const time = z.iso.datetime();
const text = z.string().max(4096);

const reason = z.enum(REASONS).nullable().catch(null);

const diskRunSchema = z.strictObject({
  /** The disk's name towards its VM, or the path of its image. */
  disk: text.min(1),
  /** The series that it belongs to: the disk through time, whatever it is called. Absent in manifests of version 1, as all below that say so. */
  series: uuid.optional(),
  /** Path of its image, where it is a file of this machine. Absent in version 1. */
  image: text.nullable().optional(),
  /** Its name in this folder's files. */
  key: z.string().refine(isKey, 'a file name of letters, digits, dots and underscores'),
  sizeBytes: bytes.refine((n) => n % 512 === 0, 'a multiple of 512'),
  /** Null where nothing keeps points in time (a raw image). */
  epoch: uuid.nullable(),
  changeId: text.nullable(),
  /** The place of the point in time in the epoch. Absent in version 1. */
  sequence: z.number().int().positive().max(Number.MAX_SAFE_INTEGER).nullable().optional(),
  verdict: z.enum(['incremental', 'full']),
  /** Why a full backup, as a reason code and in words. A code of a later version is none here. */
  reason,
  message: text.nullable(),
  /** The run whose layer is the backing file. */
  base: z.strictObject({ run, pit: uuid }).nullable(),
  file: text,
  /** Size of that file. Absent in version 1. */
  fileBytes: bytes.optional(),
  sums: z.strictObject({ file: text, sha256, bytes }),
  /** What the change map told; what was stored of it; what of it were zeros. */
  changedBytes: bytes,
  storedBytes: bytes,
  zeroBytes: bytes,
});

const manifestSchema = z.strictObject({
  format: z.literal('qemu-cbt-backup'),
  /** 2 has who a disk and its owner are, and the sizes of files; 1 is still read. */
  version: z.union([z.literal(1), z.literal(2)]),
  run,
  pit: uuid,
  startedAt: time,
  finishedAt: time,
  source: z.strictObject({
    kind: z.enum(['vm', 'images']),
    name: text.nullable(),
    uuid: text.nullable(),
    /** Which owner of the folder (`folder.json`). Absent in version 1. */
    owner: uuid.optional(),
    /** What the VM is made from: the XML of a libvirt domain. Of one that tells it. */
    definition: z.string().max(MAX_DEFINITION).optional(),
  }),
  disks: z.array(diskRunSchema).min(1).max(4096),
  /** Disks of the VM whose backup failed in this run. */
  failed: z.array(z.strictObject({ disk: text, code: text, reason, message: z.string().max(65_536) })),
});

/** A disk in a run, as the manifest has it. Sizes in bytes. */
export type DiskRun = z.infer<typeof diskRunSchema>;
/** What a run's `run-<number>.json` says; times are ISO 8601. */
export type Manifest = z.infer<typeof manifestSchema>;

export function formatManifest(manifest: Manifest): string {
  const checked = manifestSchema.parse(manifest);
  return `${JSON.stringify({ ...checked, checksum: checksumOf(checked) }, null, 2)}\n`;
}

/** Reads a manifest; `run` is what its file name says. Throws `ERR_CBT_CORRUPT_IMAGE` naming the field. */
export function parseManifest(content: string, fileName: string, expectedRun: number): Manifest {
  const fail = (what: string): never => {
    throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `${fileName} is damaged: ${what}`, {
      details: { file: fileName },
    });
  };
  let raw: unknown;
  try {
    raw = JSON.parse(content);
  } catch (error) {
    fail(`it is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return fail('it is no JSON object');
  const { checksum, ...body } = raw as Record<string, unknown>;
  const result = manifestSchema.safeParse(body);
  if (!result.success) {
    const issue = result.error.issues[0];
    return fail(`${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'wrong'}`);
  }
  if (checksum !== checksumOf(body)) {
    return fail(`checksum is ${JSON.stringify(checksum)?.slice(0, 80)}, its content has ${checksumOf(body)}`);
  }
  const manifest = result.data;
  if (manifest.run !== expectedRun) fail(`run is ${manifest.run}, its name says ${expectedRun}`);
  const keys = new Set<string>();
  for (const [i, disk] of manifest.disks.entries()) {
    const at = `disks.${i}`;
    if (keys.has(disk.key)) fail(`${at}.key: ${disk.key} is there twice`);
    keys.add(disk.key);
    const file = layerName(disk.key, manifest.run);
    if (disk.file !== file) fail(`${at}.file is ${disk.file}, expected ${file}`);
    const sums = sumsName(disk.key, manifest.run);
    if (disk.sums.file !== sums) fail(`${at}.sums.file is ${disk.sums.file}, expected ${sums}`);
    if ((disk.verdict === 'incremental') !== (disk.base !== null))
      fail(`${at}.base: an incremental run has one, and a full run has none`);
    if (disk.base !== null && disk.base.run >= manifest.run)
      fail(`${at}.base.run is ${disk.base.run}, expected an earlier run than ${manifest.run}`);
  }
  return manifest;
}

/** Over the text without white space; members keep their order when read and written again. */
function checksumOf(body: object): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex');
}
