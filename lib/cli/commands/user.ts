/** `qemu-cbt user`: the file of users of the service. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CbtError, invalidArgument } from '../../core/errors.js';
import { hashPassword } from '../../service/users/password.js';
import { ROLES, type Role, readUsers, type User, writeUsers } from '../../service/users/usersFile.js';
import { inventoryOf } from '../inventory.js';
import { type CliIo, tell, tellJson, write, writeJson } from '../io.js';
import { printable } from '../report.js';

export interface UserFlags {
  role?: Role;
  vm?: string[];
  users?: string;
  json?: boolean;
}

/** Shorter ones are guessed. */
const LEAST_CHARACTERS = 8;

export async function add(io: CliIo, name: string | undefined, flags: UserFlags): Promise<void> {
  const file = await fileOf(io, flags);
  const user = requireName(name);
  const users = (await readUsers(file)) ?? [];
  const known = users.find((one) => one.name === user);
  const role = flags.role ?? known?.role;
  if (role === undefined) throw invalidArgument('--role', undefined, `one of ${ROLES.join(', ')}`);
  const text = await readPassword(io, user);
  if (text.length < LEAST_CHARACTERS)
    throw invalidArgument('password', '…', `at least ${LEAST_CHARACTERS} characters`);
  const vms = flags.vm ?? known?.vms;
  const made: User = {
    name: user,
    role,
    ...(vms !== undefined && { vms }),
    password: await hashPassword(text),
  };
  await writeUsers(file, [...users.filter((one) => one.name !== user), made]);
  if (flags.json) await tellJson(io, { user, role, vms: vms ?? null, file });
  else await tell(io, `${user} may log in as ${role}; a running service knows it at once\n`);
}

export async function remove(io: CliIo, name: string | undefined, flags: UserFlags): Promise<void> {
  const file = await fileOf(io, flags);
  const user = requireName(name);
  const users = (await readUsers(file)) ?? [];
  if (!users.some((one) => one.name === user))
    throw invalidArgument('name', user, `one of ${users.map((one) => one.name).join(', ') || 'none'}`);
  await writeUsers(
    file,
    users.filter((one) => one.name !== user),
  );
  if (flags.json) await tellJson(io, { user, file });
  else await tell(io, `${user} cannot log in any more; sessions end with the next reload (SIGHUP)\n`);
}

export async function list(io: CliIo, flags: UserFlags): Promise<void> {
  const users = ((await readUsers(await fileOf(io, flags))) ?? []).map(({ name, role, vms }) => ({
    name,
    role,
    vms: vms ?? null,
  }));
  if (flags.json) return writeJson(io, { users });
  const width = Math.max(4, ...users.map(({ name }) => name.length));
  const lines = users.map(
    ({ name, role, vms }) =>
      `${name.padEnd(width)}  ${role.padEnd(6)}  ${printable(vms?.join(', ') ?? 'all VMs')}\n`,
  );
  await write(io.stdout, lines.join(''));
}

async function fileOf(io: CliIo, { users }: UserFlags): Promise<string> {
  if (users !== undefined) return users;
  const said = (await inventoryOf(io).file())?.says.wires?.vim?.users;
  if (said !== undefined) return said;
  throw invalidArgument('--users', undefined, 'a file of users: the host file names none under wires.vim');
}

function requireName(name: string | undefined): string {
  if (name !== undefined) return name;
  throw invalidArgument('name', undefined, 'the name of a user');
}

async function readPassword({ stderr, signal }: CliIo, user: string): Promise<string> {
  const isTerminal = process.stdin.isTTY === true;
  if (isTerminal) stderr.write(`password for ${user}: `);
  // What is typed is echoed to nowhere.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output, terminal: isTerminal });
  try {
    for await (const line of lines) return line;
  } finally {
    lines.close();
    if (isTerminal) stderr.write('\n');
  }
  if (signal.aborted) throw signal.reason;
  throw new CbtError('ERR_CBT_INVALID_ARGUMENT', 'standard input has no line with the password');
}
