/**
 * Whether a machine has what the product needs, all at once: each thing with what was found, and where it is missing the one command
 * that mends it. Only looks.
 */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { parseLibvirtUri } from '../backend/libvirt/libvirtUri.js';
import { loadNbdAddon } from '../backend/nbd/nbdAddon.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { describeKernel, loadKernel } from '../kernel/load.js';
import { fileSystemOf } from '../linux/fileSystem.js';
import { freeSpaceIn } from '../linux/freeSpace.js';
import { LEAST_SCRATCH_BYTES, scratchPlace } from '../linux/scratchPlace.js';
import { defaultUri } from './diskName.js';
import type { Inventory } from './inventory.js';
import { addressesIn } from './libvirtVms.js';
import { type Installer, installerOf } from './systemFix.js';
import { lookAtPrograms } from './systemPrograms.js';

/** One thing that a machine has, or lacks. */
export interface SystemFact {
  what: string;
  level: 'ok' | 'note' | 'problem';
  message: string;
  /** The command, or the step, that mends it. */
  fix?: string;
  /** Of a problem. */
  error?: CbtError;
}

/** What is looked at beside the machine itself. */
export interface SystemCheckOptions {
  inventory: Inventory;
  /** Where sessions are given their files; as begin chooses unless given. */
  scratch?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** As `engines` in package.json has it. */
const LEAST_NODE = [20, 17] as const;
/** A session whose files have less room than this is hardly begun before it ends. */

/** Looks at everything; what is wrong with one thing hides no other. */
export async function checkSystem(options: SystemCheckOptions): Promise<SystemFact[]> {
  const install = await installerOf();
  throwIfAborted(options.signal);
  return [
    ofNode(),
    await ofAddon(),
    ofLibnbd(install),
    ...(await ofPrograms(install, options.signal)),
    await ofScratch(options.scratch ?? (await scratchPlace())),
    ...(await ofHostFile(options)),
    await ofLibvirt(options),
  ];
}

function ofNode(): SystemFact {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const message = `${process.version}, ${process.platform} ${process.arch}, ${process.execPath}`;
  if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]))
    return { what: 'Node.js', level: 'ok', message };
  return problem(
    'Node.js',
    new CbtError('ERR_CBT_UNSUPPORTED', `${message}: at least ${LEAST_NODE.join('.')} is needed`),
    {
      fix: 'install a current Node.js (https://nodejs.org)',
    },
  );
}

async function ofAddon(): Promise<SystemFact> {
  const kernel = await loadKernel();
  const message = describeKernel();
  if (kernel.path !== 'script') return { what: 'addon', level: 'ok', message: `${message}, ${kernel.path}` };
  return {
    what: 'addon',
    level: 'note',
    message: `${message}; everything works without, slower, and with locks by the program flock`,
    fix: BUILD,
  };
}

const BUILD = 'npm rebuild qemu-cbt --foreground-scripts';

function ofLibnbd(install: Installer): SystemFact {
  try {
    return { what: 'libnbd', level: 'ok', message: `version ${loadNbdAddon().libnbd}` };
  } catch (error) {
    if (!(error instanceof CbtError)) throw error;
    const missing = /libnbd\.so/.test(error.message);
    const packages = missing
      ? { debian: 'libnbd0', fedora: 'libnbd' }
      : { debian: 'libnbd-dev g++ cmake make', fedora: 'libnbd-devel gcc-c++ cmake make' };
    return problem('libnbd', error, {
      fix: missing ? install(packages) : `${install(packages)} && ${BUILD}`,
    });
  }
}

async function ofPrograms(install: Installer, signal: AbortSignal | undefined): Promise<SystemFact[]> {
  const found = await lookAtPrograms(signal);
  return found.map(({ program, path, version, error }) =>
    error === null
      ? { what: program.name, level: 'ok', message: `${version}, ${path}` }
      : problem(program.name, error, { fix: install(program.packages), needed: program.serves }),
  );
}

async function ofScratch(folder: string): Promise<SystemFact> {
  const what = 'scratch';
  const fix = 'name a folder on a disk with room: --scratch <folder>, or TMPDIR';
  try {
    if (!(await stat(folder)).isDirectory())
      throw new CbtError('ERR_CBT_INVALID_ARGUMENT', `${folder} is no folder`, { details: { path: folder } });
    await access(folder, constants.W_OK | constants.X_OK);
    const [{ bytes }, { name, inMemory }] = await Promise.all([freeSpaceIn(folder), fileSystemOf(folder)]);
    const room = bytes === null ? 'room not known' : `room for ${mebibytes(bytes)}`;
    const message = `${folder}: ${name}, ${room}`;
    if (bytes !== null && bytes < LEAST_SCRATCH_BYTES)
      return problem(
        what,
        new CbtError(
          'ERR_CBT_BACKEND_UNAVAILABLE',
          `${message}: what a guest overwrites during a backup has to go there`,
        ),
        { fix },
      );
    if (inMemory)
      return {
        what,
        level: 'note',
        message: `${message}: what a guest overwrites during a backup takes memory there`,
        fix,
      };
    return { what, level: 'ok', message };
  } catch (error) {
    return problem(what, asCbtError(error, folder), { fix });
  }
}

/** Sockets of VMs that are named: whether they are there, and this user may connect. */
async function ofHostFile({ inventory, signal }: SystemCheckOptions): Promise<SystemFact[]> {
  try {
    const file = await inventory.file();
    if (file === null)
      return [{ what: 'host file', level: 'ok', message: 'none: VMs are named by their sockets' }];
    const vms = file.says.vms ?? [];
    const facts: SystemFact[] = [
      { what: 'host file', level: 'ok', message: `${file.path}, ${vms.length} VMs` },
    ];
    for (const { name, qmpSocket } of vms) {
      throwIfAborted(signal);
      if (qmpSocket !== undefined) facts.push(await ofSocket(`VM ${name}`, qmpSocket));
    }
    return facts;
  } catch (error) {
    return [problem('host file', asCbtError(error, 'host file'), { fix: 'qemu-cbt host check' })];
  }
}

async function ofSocket(what: string, path: string): Promise<SystemFact> {
  try {
    if (!(await stat(path)).isSocket())
      throw new CbtError('ERR_CBT_INVALID_ARGUMENT', `${path} is no socket`, { details: { path } });
    await access(path, constants.R_OK | constants.W_OK);
    return { what, level: 'ok', message: `${path}: this user may connect` };
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 'ENOENT') return { what, level: 'note', message: `${path} is not there: the VM is off` };
    const fix =
      code === 'EACCES'
        ? `run as root, or as the user that QEMU runs as: ls -ld ${dirname(path)} ${path}`
        : 'qemu-cbt host check';
    return problem(what, asCbtError(error, path), { fix });
  }
}

async function ofLibvirt({ signal }: SystemCheckOptions): Promise<SystemFact> {
  const what = 'libvirt';
  const uri = defaultUri();
  try {
    const { sockets } = parseLibvirtUri(uri);
    const there = await Promise.all(sockets.map((path) => stat(path).catch((error: unknown) => error)));
    if (there.every((found) => (found as NodeJS.ErrnoException).code === 'ENOENT'))
      return { what, level: 'ok', message: `none here (${uri}): no socket at ${sockets.join(', ')}` };
    const domains = await addressesIn(uri, { signal });
    return { what, level: 'ok', message: `${uri}, ${domains.length} domains` };
  } catch (error) {
    throwIfAborted(signal);
    const told = asCbtError(error, uri);
    const refused = /EACCES|permission/i.test(told.message);
    const fix = refused
      ? `sudo usermod -aG libvirt ${userInfo().username}, then log in anew`
      : 'sudo systemctl restart virtqemud (or libvirtd)';
    return problem(what, told, { fix });
  }
}

function problem(
  what: string,
  error: CbtError,
  { fix, needed }: { fix: string; needed?: string },
): SystemFact {
  const message = needed === undefined ? error.message : `${error.message} (needed for ${needed})`;
  return { what, level: 'problem', message, fix, error };
}

function asCbtError(error: unknown, path: string): CbtError {
  if (error instanceof CbtError) return error;
  if (error instanceof Error && 'syscall' in error)
    return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', error.message, { details: { path }, cause: error });
  throw error;
}

function mebibytes(bytes: number): string {
  return bytes < 10 * 2 ** 30 ? `${Math.floor(bytes / 2 ** 20)} MiB` : `${Math.floor(bytes / 2 ** 30)} GiB`;
}
