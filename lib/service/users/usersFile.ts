/** The file of users: names, roles, what is kept of their passwords, and which VMs each may see. */
import { open, stat } from 'node:fs/promises';
import { z } from 'zod';
import { CbtError } from '../../core/errors.js';
import { isMissing } from '../../linux/fileFault.js';
import { writeWholeFile } from '../../linux/wholeFile.js';
import { hashSchema } from './password.js';

/** What a user may do; each role may all that stands before it. */
export const ROLES = ['read', 'backup', 'admin'] as const;
export type Role = (typeof ROLES)[number];

const MOST_BYTES = 1 << 20;
const MOST_USERS = 1000;
const NAME = /^[^\s"\\/:<>]{1,64}$/;

const userSchema = z.strictObject({
  name: z.string().regex(NAME, 'a name of 1 to 64 characters without spaces, " \\ / : < >'),
  role: z.enum(ROLES, `one of ${ROLES.join(', ')}`),
  /** Names of VMs; all unless given. */
  vms: z.array(z.string().min(1)).optional(),
  password: hashSchema,
});
const fileSchema = z.strictObject({ version: z.literal(1), users: z.array(userSchema).max(MOST_USERS) });

export type User = z.infer<typeof userSchema>;

/** Whether a user may do what a role may. */
export function mayAs({ role }: Pick<User, 'role'>, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/** Whether a user may see a VM. */
export function maySee({ vms }: Pick<User, 'vms'>, vm: string): boolean {
  return vms === undefined || vms.includes(vm);
}

function refused(path: string, what: string, cause?: unknown): CbtError {
  return new CbtError('ERR_CBT_INVALID_ARGUMENT', `${path}: ${what}`, { details: { path }, cause });
}

/** The users of a file; null where there is none. One that others than its owner can read is refused. */
export async function readUsers(path: string): Promise<User[] | null> {
  let text: string;
  try {
    const { mode, size } = await stat(path);
    if ((mode & 0o077) !== 0)
      throw refused(path, `its mode is ${(mode & 0o777).toString(8)}, expected 600: others could read it`);
    if (size > MOST_BYTES) throw refused(path, `it has ${size} bytes, expected at most ${MOST_BYTES}`);
    await using file = await open(path, 'r');
    text = await file.readFile('utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    if (error instanceof CbtError) throw error;
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path} cannot be read`, {
      details: { path },
      cause: error,
    });
  }
  const checked = fileSchema.safeParse(parse(path, text));
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw refused(path, `${issue?.path.join('.')}: expected ${issue?.message}`);
  }
  const { users } = checked.data;
  const names = users.map(({ name }) => name.toLowerCase());
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw refused(path, `two users are named ${twice}`);
  return users;
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refused(path, 'it is no JSON', cause);
  }
}

/** Writes the users in place of those that were there. */
export async function writeUsers(path: string, users: readonly User[]): Promise<void> {
  const [bad] = userNames(users);
  if (bad !== undefined) throw refused(path, `${JSON.stringify(bad)} is no name of a user`);
  const text = `${JSON.stringify({ version: 1, users }, null, 2)}\n`;
  await writeWholeFile(path, (to) => to.writeFile(text), { mode: 0o600 });
}

const userNames = (users: readonly User[]): string[] =>
  users.map(({ name }) => name).filter((name) => !NAME.test(name));
