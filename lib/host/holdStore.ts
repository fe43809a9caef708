/**
 * Where it is kept who holds a VM, by its monitor: however a VM is called and by whomever, every program of this machine that
 * reaches it finds the same.
 */
import { createHash } from 'node:crypto';
import { readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { CbtError } from '../core/errors.js';
import { defaultStateFolder, LockedRecord } from './lockedRecord.js';
import { ownerSchema } from './vmRecord.js';

const schema = z.object({
  version: z.literal(1),
  /** Who keeps the VM as it is, since when. */
  holder: z.object({ identity: z.string(), owner: ownerSchema, since: z.string() }).nullable(),
  /** Changes of the VM that are under way. */
  changes: z.array(z.object({ task: z.string(), owner: ownerSchema })),
});

export type HoldRecord = z.infer<typeof schema>;

const MAX_LINKS = 40;

/** Who holds a VM and who is changing it. `hold` is locked exclusively by the one, shared by the others. */
export class HoldStore extends LockedRecord<HoldRecord, 'hold'> {
  /** What messages call the VM. */
  readonly name: string;

  /** `key`: who the VM is, as {@link monitorKey} tells it; `name`: what messages call it, the key unless given. */
  constructor(
    key: string,
    {
      folder = defaultStateFolder(),
      name = key,
    }: { folder?: string | undefined; name?: string | undefined } = {},
  ) {
    const plain = basename(key)
      .replace(/[^A-Za-z0-9_-]/g, '_')
      .slice(0, 64);
    const hash = createHash('sha256').update(key).digest('hex').slice(0, 16);
    super(join(folder, `${plain}-${hash}.holds`), {
      empty: () => ({ version: 1, holder: null, changes: [] }),
      parse,
    });
    this.name = name;
  }
}

function parse(file: string, text: string): HoldRecord {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `${file} is damaged; it says who holds a VM: remove it where nobody does`,
      { details: { path: file }, cause },
    );
  }
}

/**
 * Who the VM behind a QMP socket is, running or off: the socket's path without links. A copy of a VM has its UUID, and a VM that is
 * off tells none; the path is each VM's own.
 */
export function monitorKey(socket: string): string {
  let path = withoutLinks(resolve(socket));
  for (let links = 0; links < MAX_LINKS; links += 1) {
    const to = linkAt(path);
    if (to === null) break;
    path = withoutLinks(resolve(dirname(path), to));
  }
  return path;
}

/** The links of its folders followed, as far as those are there: QEMU makes sockets, and folders of them, when it starts. */
function withoutLinks(path: string): string {
  const folder = dirname(path);
  if (folder === path) return path;
  let real: string;
  try {
    real = realpathSync(folder);
  } catch {
    real = withoutLinks(folder);
  }
  return join(real, basename(path));
}

function linkAt(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
