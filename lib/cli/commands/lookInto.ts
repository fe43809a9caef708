/** `qemu-cbt serve-nbd` and `qemu-cbt mount`: the disks of a run to look into, until the command is ended. */

import { once } from 'node:events';
import { chmod, type FileHandle, lstat, mkdir, open, rm, rmdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { runNamed } from '../../backup/reading.js';
import { type ShownDisk, type ShownRun, showRun } from '../../backup/showRun.js';
import { CbtError, invalidArgument } from '../../core/errors.js';
import type { ServedAt } from '../../host/servedStacks.js';
import { onFile } from '../../linux/fileFault.js';
import { makeMarkedFolder } from '../../linux/markedFolder.js';
import { shellWord } from '../../linux/shellWord.js';
import { nameSocket, requireNameForSocket } from '../../linux/socketName.js';
import { checkSocketPath } from '../../linux/unixSocket.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { formatBytes } from '../picture/units.js';
import { printable } from '../report.js';
import { warnUnheld } from '../unheld.js';

interface LookFlags {
  pit?: string;
  disk?: string;
  json?: boolean;
}

export interface ServeNbdFlags extends LookFlags {
  socket?: string;
  listen?: string;
}

export async function serveNbd(io: CliIo, from: string, flags: ServeNbdFlags): Promise<void> {
  const { pit, disk, json = false } = flags;
  const tcp = flags.listen === undefined ? null : listenAt(flags.listen);
  const path = flags.socket === undefined ? null : resolve(flags.socket);
  if (path !== null) {
    checkSocketPath('--socket', path);
    await requireNameForSocket('--socket', path);
  }
  // Beside its name, which is a link: QEMU would remove whatever has that name, before it binds and when it ends.
  const own = await makeMarkedFolder('nbd', path === null ? undefined : dirname(path));
  const bound = join(own, 'nbd.sock');
  try {
    await showRun(
      { from, at: runNamed(pit), disk, signal: io.signal, onUnheld: warnUnheld(io) },
      async () => tcp ?? { kind: 'unix', path: bound },
      async (shown, ended) => {
        if (tcp === null) await onFile(bound, 'keeping others out', () => chmod(bound, 0o600));
        await using _named = path === null ? null : await nameSocket('--socket', bound, path);
        const at = tcp ?? { kind: 'unix', path: path ?? bound };
        const disks = shown.disks.map((one) => ({ ...one, uri: uriOf(at, one.key) }));
        if (json) await tellJson(io, { ...shown, disks });
        else
          await tell(
            io,
            `${headOf(shown)}${disks.map((one) => `  ${one.uri}   ${inWords(one)}\n`).join('')}${ENDS}`,
          );
        await untilEnded(io.signal, ended);
      },
    );
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

export async function mountRun(io: CliIo, from: string, dir: string, flags: LookFlags): Promise<void> {
  const { pit, disk, json = false } = flags;
  const folder = resolve(dir);
  const fileOf = (key: string): string => join(folder, `${key}.raw`);
  const made = new Map<string, FileHandle>();
  const firstMade = await onFile(folder, 'making', () => mkdir(folder, { recursive: true }));
  const makeFiles = async (disks: readonly ShownDisk[]): Promise<ServedAt> => {
    for (const { key } of disks) {
      const file = await emptyFile(fileOf(key));
      if (file !== null) made.set(fileOf(key), file);
    }
    return { kind: 'fuse', fileOf };
  };
  try {
    await showRun(
      { from, at: runNamed(pit), disk, signal: io.signal, onUnheld: warnUnheld(io) },
      makeFiles,
      async (shown, ended) => {
        const disks = shown.disks.map((one) => ({ ...one, file: fileOf(one.key) }));
        if (json) await tellJson(io, { ...shown, disks });
        else await tell(io, `${headOf(shown)}${disks.map((one) => mountedInWords(one)).join('')}${ENDS}`);
        await untilEnded(io.signal, ended);
      },
    );
  } finally {
    for (const [path, file] of made) await removeMade(path, file);
    if (firstMade !== undefined) await removeFolders(folder, firstMade);
  }
}

/** The file was held open all the time, so that no other has its inode. */
async function removeMade(path: string, file: FileHandle): Promise<void> {
  const [ours, its] = [await file.stat(), await lstat(path).catch(() => null)];
  if (its?.dev === ours.dev && its.ino === ours.ino && ours.size === 0) await rm(path, { force: true });
  await file.close();
}

/** From the folder up to the first that was made for it; one in which somebody put something stays. */
async function removeFolders(folder: string, firstMade: string): Promise<void> {
  for (let at = folder; at.startsWith(firstMade); at = dirname(at)) {
    const isGone = await rmdir(at).then(
      () => true,
      () => false,
    );
    if (!isGone) return;
  }
}

const ENDS = 'Ctrl-C ends it.\n';

/** Who ends it is the one who has seen enough: that is no failure. */
async function untilEnded(signal: AbortSignal, ended: Promise<never>): Promise<void> {
  if (!signal.aborted) await Promise.race([once(signal, 'abort'), ended]);
}

function listenAt(listen: string): { kind: 'tcp'; host: string; port: number } {
  const [, host = '', port = ''] = /^\[?([0-9a-f.:]+)\]?:(\d{1,5})$/i.exec(listen) ?? [];
  const loopback = host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
  if (!loopback || Number(port) < 1 || Number(port) > 65_535)
    throw invalidArgument(
      '--listen',
      listen,
      'an address of this machine alone, such as 127.0.0.1:10809: it is neither encrypted nor asks for a password',
    );
  return { kind: 'tcp', host, port: Number(port) };
}

function uriOf(at: Exclude<ServedAt, { kind: 'fuse' }>, name: string): string {
  const path = encodeURIComponent(name);
  if (at.kind === 'unix')
    return `nbd+unix:///${path}?socket=${at.path.split('/').map(encodeURIComponent).join('/')}`;
  return `nbd://${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}/${path}`;
}

/** An empty file to mount on: a new one, open; null for one that is there already, as a killed `mount` leaves it. */
async function emptyFile(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const found = code === 'EEXIST' ? await lstat(path).catch(() => null) : null;
    if (found?.isFile() && found.size === 0) return null;
    if (code === 'EEXIST')
      throw new CbtError(
        'ERR_CBT_INVALID_ARGUMENT',
        `${path} is there already: name a folder without it, or unmount it (umount -l)`,
        {
          details: { argument: 'dir', path },
        },
      );
    return await onFile(path, 'creating', () => Promise.reject(error));
  }
}

function headOf({ run, pit }: ShownRun): string {
  return `Run ${run}, point in time ${pit}, read-only:\n`;
}

function inWords({ disk, sizeBytes, partitions }: ShownDisk): string {
  const parts = partitions.map(
    ({ number, length, kind }) => `${number}: ${kind ?? 'unknown'} ${formatBytes(length)}`,
  );
  return `${printable(disk)}, ${formatBytes(sizeBytes)}${parts.length === 0 ? '' : `; ${parts.join(', ')}`}`;
}

/** Read-only mounts that leave a file system as it is, though it was not unmounted: its journal is not written. */
const ASIDE: Readonly<Record<string, string>> = {
  ext4: ',noload',
  xfs: ',norecovery,nouuid',
  btrfs: ',rescue=nologreplay',
  ntfs: '',
  vfat: '',
};

function mountedInWords(disk: ShownDisk & { file: string }): string {
  const file = shellWord(disk.file);
  const lines = [`  ${printable(disk.file)}   ${inWords(disk)}`];
  for (const { offset, length, kind } of disk.partitions) {
    const more = kind === null ? undefined : ASIDE[kind];
    if (more !== undefined)
      lines.push(
        `    mount -o ro,nosuid,nodev,noexec,loop,offset=${offset},sizelimit=${length}${more} ${file} /mnt`,
      );
    if (kind === 'lvm')
      lines.push(
        `    losetup --find --show --read-only --offset ${offset} --sizelimit ${length} ${file}`,
        // Without these words it would activate every group of this machine; and a copy's group may have the name of one that is in use.
        '    # LVM: activate its own group only, on that device: vgchange -ay --devices <device> <group>',
      );
  }
  if (lines.some((line) => line.includes('mount -o')))
    lines.push('    cp -a /mnt/etc/hostname . && umount /mnt     # the file that you want');
  return `${lines.join('\n')}\n`;
}
