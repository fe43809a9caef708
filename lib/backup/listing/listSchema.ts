/** What a listing of a folder says, by one schema: the types and docs/list.schema.json are made from it. */
import { z } from 'zod';
import { REASONS } from '../../core/errorCodes.js';

const bytes = z.number().int().nonnegative();
const text = z.string();

const listedDiskSchema = z.object({
  disk: text.describe('The disk’s name towards its VM in this run, or the path of its image.'),
  key: text.describe('Its name in the folder’s files.'),
  series: text.describe('The disk through time, whatever it is called.'),
  sizeBytes: bytes,
  epoch: text.nullable().describe('The disk’s history; null where nothing keeps points in time.'),
  verdict: z.enum(['incremental', 'full']),
  reason: z.enum(REASONS).nullable().describe('Why it is full, where there is a code for it.'),
  message: text.nullable().describe('The same in words.'),
  base: z.number().int().positive().nullable().describe('Number of the run that it builds on.'),
  changedBytes: bytes.describe('What the change map told.'),
  storedBytes: bytes.describe('What was stored of it.'),
  zeroBytes: bytes.describe('What of it were zeros, which take no room.'),
  file: text,
  fileBytes: bytes.nullable().describe('Size of that file; null where the manifest does not say it.'),
  problem: text
    .nullable()
    .describe('Why it cannot be restored, as far as manifests and names of files tell; null where it can.'),
});

const listedRunSchema = z.object({
  run: z.number().int().positive(),
  pit: text.describe('UUID of the point in time.'),
  startedAt: text.describe('ISO 8601, UTC; the point in time was taken just after it.'),
  finishedAt: text,
  source: z.object({
    kind: z.enum(['vm', 'images']),
    name: text.nullable(),
    uuid: text.nullable(),
    owner: text.nullable().describe('Which owner of the folder; null where that cannot be told.'),
  }),
  good: z.boolean().describe('Whether no disk of it failed and each can be restored.'),
  keptBy: z
    .array(text)
    .nullable()
    .describe(
      'The rules that keep it; none: a prune by these rules forgets it. Null where no rules were given.',
    ),
  disks: z.array(listedDiskSchema),
  failed: z.array(z.object({ disk: text, code: text, reason: text.nullable(), message: text })),
});

const listSchema = z.object({
  folder: text,
  owners: z.array(
    z.object({ id: text, kind: z.enum(['vm', 'images']), name: text.nullable(), uuid: text.nullable() }),
  ),
  freeBytes: bytes.nullable().describe('Room in the folder; null where the file system does not tell.'),
  storedBytes: bytes.describe('Sizes of all layers together.'),
  runs: z.array(listedRunSchema).describe('Oldest first.'),
  damaged: z
    .array(z.object({ run: z.number().int().positive(), file: text, message: text }))
    .describe('Runs whose manifest cannot be believed.'),
  merging: z
    .object({ key: text, below: z.number().int(), above: z.number().int() })
    .nullable()
    .describe(
      'The merge of a prune that is under way, or was interrupted; runs are listed as it will leave them.',
    ),
  problems: z.array(text).describe('What is wrong with the folder itself.'),
});

const checkedDiskSchema = z.object({
  disk: text,
  series: text,
  owner: text.nullable(),
  run: z
    .number()
    .int()
    .positive()
    .nullable()
    .describe('The newest good run of it; null where there is none.'),
  startedAt: text.nullable(),
  ageMs: z.number().nullable(),
  good: z.boolean(),
  problem: text.nullable().describe('Why it is not as it should be.'),
});

const checkSchema = z.object({
  folder: text,
  good: z.boolean(),
  maxAgeMs: z.number(),
  disks: z.array(checkedDiskSchema),
  problems: z.array(text).describe('What is wrong beside the disks, or instead of them.'),
});

/** A disk in a run of a listing. Sizes in bytes. */
export type ListedDisk = z.infer<typeof listedDiskSchema>;
/** A run of a listing; times are ISO 8601, UTC. */
export type ListedRun = z.infer<typeof listedRunSchema>;
/** What is in a backup folder. Sizes in bytes. */
export type RunList = z.infer<typeof listSchema>;
/** A disk, and how old its newest good run is. */
export type CheckedDisk = z.infer<typeof checkedDiskSchema>;
/** Whether the newest good runs of a folder are young enough. */
export type NewestCheck = z.infer<typeof checkSchema>;

/** The schema of `list --json`, and under `check` of `list --check … --json`. */
export function listJsonSchema(): object {
  const { $schema, ...check } = z.toJSONSchema(checkSchema) as Record<string, unknown>;
  const list = z.toJSONSchema(listSchema);
  return { ...list, title: 'What qemu-cbt list --json prints', $defs: { check } };
}
