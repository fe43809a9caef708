/** `qemu-cbt serve-nbd` and `qemu-cbt mount`: the disks of a run to look into, until the command is ended. */
import { once } from 'node:events';
import { lstat, mkdir, open, rm, rmdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { type ShownDisk, type ShownRun, showRun } from '../../backup/showRun.js';
import { CbtError, invalidArgument } from '../../core/errors.js';
import type { ServedAt } from '../../host/servedStacks.js';
import { onFile } from '../../linux/fileFault.js';
import { makeMarkedFolder } from '../../linux/markedFolder.js';
import { checkSocketPath } from '../../linux/unixSocket.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { formatBytes } from '../picture/units.js';
import { printable } from '../report.js';

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
  const own = flags.socket === undefined && flags.listen === undefined ? await makeMarkedFolder('nbd') : null;
  const at = own === null ? servedAt(flags) : ({ kind: 'unix', path: join(own, 'nbd.sock') } as const);
  try {
    await showRun(
      { from, pit, disk, signal: io.signal },
      async () => at,
      async (shown, ended) => {
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
    if (own !== null) await rm(own, { recursive: true, force: true });
    else if (at.kind === 'unix') await rm(at.path, { force: true });
  }
}

export async function mountRun(io: CliIo, from: string, dir: string, flags: LookFlags): Promise<void> {
  const { pit, disk, json = false } = flags;
  const folder = resolve(dir);
  const fileOf = (key: string): string => join(folder, `${key}.raw`);
  const made: string[] = [];
  const isOurs = (await onFile(folder, 'making', () => mkdir(folder, { recursive: true }))) !== undefined;
  const makeFiles = async (disks: readonly ShownDisk[]): Promise<ServedAt> => {
    for (const { key } of disks) {
      await emptyFile(fileOf(key));
      made.push(fileOf(key));
    }
    return { kind: 'fuse', fileOf };
  };
  try {
    await showRun({ from, pit, disk, signal: io.signal }, makeFiles, async (shown, ended) => {
      const disks = shown.disks.map((one) => ({ ...one, file: fileOf(one.key) }));
      if (json) await tellJson(io, { ...shown, disks });
      else await tell(io, `${headOf(shown)}${disks.map((one) => mountedInWords(one)).join('')}${ENDS}`);
      await untilEnded(io.signal, ended);
    });
  } finally {
    for (const file of made) await rm(file, { force: true });
    // One in which somebody put something stays.
    if (isOurs) await rmdir(folder).catch(() => undefined);
  }
}

const ENDS = 'Ctrl-C ends it; no prune changes the folder meanwhile.\n';

/** Who ends it is the one who has seen enough: that is no failure. */
async function untilEnded(signal: AbortSignal, ended: Promise<never>): Promise<void> {
  if (!signal.aborted) await Promise.race([once(signal, 'abort'), ended]);
}

function servedAt({ socket, listen }: ServeNbdFlags): Exclude<ServedAt, { kind: 'fuse' }> {
  if (socket !== undefined) {
    const path = resolve(socket);
    checkSocketPath('--socket', path);
    return { kind: 'unix', path };
  }
  const [, host = '', port = ''] = /^\[?([0-9a-f.:]+)\]?:(\d{1,5})$/i.exec(listen ?? '') ?? [];
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

/** An empty file to mount on: a new one, or what a killed `mount` left. */
async function emptyFile(path: string): Promise<void> {
  try {
    await (await open(path, 'wx', 0o600)).close();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const found = code === 'EEXIST' ? await lstat(path).catch(() => null) : null;
    if (found?.isFile() && found.size === 0) return;
    if (code === 'EEXIST')
      throw new CbtError(
        'ERR_CBT_INVALID_ARGUMENT',
        `${path} is there already: name a folder without it, or unmount it (umount -l)`,
        {
          details: { argument: 'dir', path },
        },
      );
    await onFile(path, 'creating', () => Promise.reject(error));
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
  const file = quoted(disk.file);
  const lines = [`  ${printable(disk.file)}   ${inWords(disk)}`];
  for (const { offset, length, kind } of disk.partitions) {
    const more = kind === null ? undefined : ASIDE[kind];
    if (more !== undefined)
      lines.push(`    mount -o ro,loop,offset=${offset},sizelimit=${length}${more} ${file} /mnt`);
    if (kind === 'lvm')
      lines.push(
        `    losetup --find --show --read-only --offset ${offset} --sizelimit ${length} ${file} && vgchange -ay`,
      );
  }
  if (lines.some((line) => line.includes('mount -o')))
    lines.push('    cp -a /mnt/etc/hostname . && umount /mnt     # the file that you want');
  return `${lines.join('\n')}\n`;
}

function quoted(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
