/** What would go wrong with a VM of the host file, told before it does. Only looks. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { CbtError } from '../core/errors.js';
import { fileIdentity } from '../linux/fileIdentity.js';
import type { HostVm } from './hostVm.js';
import { type LookOptions, lookAt, type SeenVm } from './vmLook.js';

/** How long an agent may be silent. */
const AGENT_MS = 5000;

/** One thing that is wrong, or worth knowing. */
export interface CheckFinding {
  level: 'problem' | 'note';
  message: string;
  /** Of a problem. */
  error?: CbtError;
}

/** A VM and what was found; `findings` is empty where all is well. */
export interface CheckedVm {
  seen: SeenVm;
  findings: CheckFinding[];
}

/** Looks at a VM and at everything that its entry names. */
export async function checkVm(host: HostVm, options: LookOptions = {}): Promise<CheckedVm> {
  const seen = await lookAt(host, options);
  const findings = [...ofWay(seen), ...ofDisks(host, seen), ...(await ofImages(host, seen))];
  if (seen.power !== 'unserved') {
    findings.push(...(await ofScratch(host, seen)), ...(await ofNbd(host, seen)));
    if (seen.power === 'running') findings.push(...(await ofAgent(host, options)));
  }
  return { seen, findings };
}

function ofWay({ power, error }: SeenVm): CheckFinding[] {
  if (error === null) return power === 'off' ? [{ level: 'note', message: 'it is off' }] : [];
  if (power !== 'off') return [problem(error)];
  const message = `${error.message}; if it is off, nothing tells its disks: the host file names no images`;
  return [problem(new CbtError(error.code, message, { details: error.details, cause: error }))];
}

/** Of a VM that was not asked there are none. */
function ofDisks({ entry }: HostVm, { disks, named, misnamed }: SeenVm): CheckFinding[] {
  const found = misnamed.map(({ error }) => problem(unreachable(`disks: ${error.message}`)));
  for (const { disk, tracking, why, error } of disks) {
    const isNamed = named?.includes(disk) ?? false;
    const takesPart = entry.disks === undefined || isNamed;
    if (error !== null) found.push(problem(error.about(disk), `${disk}: ${error.message}`));
    else if (why !== null && isNamed)
      found.push(problem(new CbtError('ERR_CBT_UNSUPPORTED', `${disk} cannot be tracked: ${why}`)));
    else if (why !== null) found.push({ level: 'note', message: `${disk} cannot be tracked: ${why}` });
    else if (tracking === 'lost' && takesPart)
      found.push({ level: 'note', message: `${disk}: tracking is lost, the next backup is a full one` });
  }
  return found;
}

/** While the VM runs: whether the images named for when it is off are those that it has. */
async function ofImages({ entry }: HostVm, { power, disks }: SeenVm): Promise<CheckFinding[]> {
  if (power !== 'running') return [];
  const found: CheckFinding[] = [];
  for (const [name, path] of Object.entries(entry.images ?? {})) {
    const disk = disks.find((one) => one.disk === name);
    if (disk === undefined) found.push(problem(unreachable(`images: QEMU has no disk ${name}`)));
    else if (!(await isThere(path)))
      found.push(problem(unreachable(`images: ${path} of ${name} is not there`)));
    else if (await isAnother(path, disk.file))
      found.push(
        problem(unreachable(`images: ${path} is not what QEMU has as ${name}, which is ${disk.file}`)),
      );
  }
  return found;
}

async function ofScratch({ entry }: HostVm, { power }: SeenVm): Promise<CheckFinding[]> {
  const { scratchFolder, qmpSocket = '' } = entry;
  if (scratchFolder === undefined) return [];
  const info = await stat(scratchFolder).catch(() => null);
  if (info === null) return [problem(unreachable(`scratchFolder: ${scratchFolder} is not there`))];
  if (!info.isDirectory()) return [problem(unreachable(`scratchFolder: ${scratchFolder} is no folder`))];
  if (!(await mayWrite(scratchFolder)))
    return [problem(unreachable(`scratchFolder: this user may not write to ${scratchFolder}`))];
  if (power !== 'running') return [];
  const { firstClosed, placeOf, seesTheSame } = await import('../backend/qemu/qemuPlace.js');
  const place = await placeOf(qmpSocket);
  if (place === null) return [];
  const { pid, uid } = place;
  if ((await seesTheSame(place, scratchFolder)) === false)
    return [
      problem(
        unreachable(
          `scratchFolder: QEMU (process ${pid}) has another folder at ${scratchFolder}, as in a container`,
        ),
      ),
    ];
  const closed = await firstClosed(scratchFolder, place);
  if (closed === null) return [];
  return [problem(unreachable(`scratchFolder: QEMU runs as user ${uid}, which may not enter ${closed}`))];
}

async function ofNbd({ entry: { nbdSocket } }: HostVm, { power }: SeenVm): Promise<CheckFinding[]> {
  if (nbdSocket === undefined || power !== 'running' || (await isThere(nbdSocket))) return [];
  return [problem(unreachable(`nbdSocket: ${nbdSocket} is not there`))];
}

async function ofAgent({ entry: { agentSocket } }: HostVm, { signal }: LookOptions): Promise<CheckFinding[]> {
  if (agentSocket === undefined) return [];
  const { GuestAgent } = await import('../backend/qemu/guest/guestAgent.js');
  try {
    const connected = await GuestAgent.connect(agentSocket, { signal, timeoutMs: AGENT_MS });
    await connected.close();
    return [];
  } catch (error) {
    if (!(error instanceof CbtError) || error.code === 'ERR_CBT_ABORTED') throw error;
    return [problem(error, `agent: ${error.message}`)];
  }
}

function problem(error: CbtError, message = error.message): CheckFinding {
  return { level: 'problem', message, error };
}

function unreachable(message: string): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message);
}

/** A name that is relative to a folder of QEMU's tells nothing here. */
async function isAnother(path: string, file: string | null): Promise<boolean> {
  const its = file?.startsWith('/') ? await fileIdentity(file) : null;
  return its !== null && its !== (await fileIdentity(path));
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function mayWrite(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}
