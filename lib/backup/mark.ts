/**
 * The mark of a backup folder, `folder.json`: whose backups it holds. It is written with the first run, and is what makes a
 * folder ours: in one without it nothing is cleared up, whatever the names of its files look like.
 */
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { CbtError } from '../core/errors.js';
import { readSmallFile, replaceFile } from './durable.js';

export const MARK_NAME = 'folder.json';
const MAX_MARK_BYTES = 1 << 20;

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const text = z.string().max(4096);

const ownerSchema = z.strictObject({
  id: uuid,
  kind: z.enum(['vm', 'images']),
  /** UUID and name of the VM; null where it has none, and for images. */
  uuid: text.nullable(),
  name: text.nullable(),
  since: z.iso.datetime(),
  /** Runs of version 1, which name no owner, are this one's unless they name another VM. */
  inherits: z.boolean(),
});

const markSchema = z.strictObject({
  format: z.literal('qemu-cbt-folder'),
  version: z.literal(1),
  id: uuid,
  madeAt: z.iso.datetime(),
  /** Whom it was made for; then those that were adopted. */
  owners: z.array(ownerSchema).min(1).max(4096),
});

/** One whose disks are backed up into the folder: a VM, or a set of images. */
export type Owner = z.infer<typeof ownerSchema>;
/** What `folder.json` says. */
export type Mark = z.infer<typeof markSchema>;

/** Null for a folder without one; `ERR_CBT_CORRUPT_IMAGE` for one that is damaged, or somebody else's file of that name. */
export async function readMark(folder: string): Promise<Mark | null> {
  const content = await readSmallFile(join(folder, MARK_NAME), MAX_MARK_BYTES);
  if (content === null) return null;
  try {
    const raw = JSON.parse(content) as Record<string, unknown>;
    const { checksum, ...body } = raw;
    const checked = markSchema.safeParse(body);
    if (checked.success && checksum === checksumOf(body)) return checked.data;
  } catch {
    // Said below.
  }
  throw new CbtError(
    'ERR_CBT_CORRUPT_IMAGE',
    `${join(folder, MARK_NAME)} is damaged, or not ours: whose backups the folder holds cannot be told; put a good copy in its place, or move it away to have it made anew from the runs`,
    { details: { file: MARK_NAME } },
  );
}

export async function writeMark(folder: string, mark: Mark): Promise<void> {
  const checked = markSchema.parse(mark);
  const content = JSON.stringify({ ...checked, checksum: checksumOf(checked) }, null, 2);
  await replaceFile(join(folder, MARK_NAME), `${content}\n`);
}

export function newMark(owners: [Owner, ...Owner[]], now: Date): Mark {
  return {
    format: 'qemu-cbt-folder',
    version: 1,
    id: randomUUID(),
    madeAt: now.toISOString(),
    owners,
  };
}

function checksumOf(body: object): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex');
}
