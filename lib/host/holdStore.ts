/**
 * Where it is kept who holds a VM, by the way to it: however a VM is called and by whomever, every program of this machine that
 * reaches it finds the same.
 */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
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

/** Who holds a VM and who is changing it. `hold` is locked exclusively by the one, shared by the others. */
export class HoldStore extends LockedRecord<HoldRecord, 'hold'> {
  /** What messages call the VM. */
  readonly name: string;

  /** `key`: by what it is reached (`WayToQemu.identity`): a copy of a VM has its UUID, and a VM that is off tells none; `name`: what messages call it, the key unless given. */
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
