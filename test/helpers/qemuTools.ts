/**
 * The real programs, as thin wrappers: one call is one process, no shell, and a missing tool fails the test. `QEMU_IMG`,
 * `QEMU_NBD`, `QEMU_IO` and `NBDINFO` pick other builds.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { copyOfMade } from './newImage.js';

export { makeTemporaryFolder, type TemporaryFolder } from './temporaryFolder.js';

const run = promisify(execFile);
const tool = (variable: string, name: string): string => process.env[variable] ?? name;

const QEMU_IMG = tool('QEMU_IMG', 'qemu-img');
const QEMU_NBD = tool('QEMU_NBD', 'qemu-nbd');
const QEMU_IO = tool('QEMU_IO', 'qemu-io');
const NBDINFO = tool('NBDINFO', 'nbdinfo');

/** Offset and length in bytes. */
export type Extent = readonly [offset: number, length: number];

/** Standard output of qemu-img with these arguments; a new image may be a copy of one that it made. */
export async function qemuImg(...args: string[]): Promise<string> {
  return (await copyOfMade(args, runQemuImg)) ? '' : runQemuImg(...args);
}

async function runQemuImg(...args: string[]): Promise<string> {
  const { stdout } = await run(QEMU_IMG, args, { maxBuffer: 1 << 28 });
  return stdout;
}

/** Runs qemu-io commands on an image given as QEMU takes it on a command line. */
export async function qemuIo(imageArgs: readonly string[], ...commands: string[]): Promise<string> {
  const args = [...commands.flatMap((command) => ['-c', command]), ...imageArgs];
  const { stdout } = await run(QEMU_IO, args).catch((error: Error & { stdout?: string }) => {
    throw new Error(`${error.message}${error.stdout}`);
  });
  // qemu-io tells a failed command on stdout and succeeds all the same.
  if (/failed|error|not supported|unknown command/i.test(stdout)) throw new Error(`qemu-io: ${stdout}`);
  return stdout;
}

/** Whether QEMU opens the image read-only, bitmaps and all. */
export async function opensInQemu(imageArgs: readonly string[]): Promise<boolean> {
  try {
    await run(QEMU_IO, ['-r', '-c', 'quit', ...imageArgs]);
    return true;
  } catch (error) {
    // Its own refusal is exit code 1; a tool that is missing or dies is a failed test.
    if ((error as { code?: unknown }).code === 1) return false;
    throw error;
  }
}

/** What `qemu-img map` calls data, through every layer; touching entries are one range. */
export async function mapData(...imageArgs: string[]): Promise<Extent[]> {
  return mapWhere((entry) => entry.data, imageArgs);
}

/** What the top layer has by itself (depth 0), explicit zeros included. */
export async function mapTopLayer(...imageArgs: string[]): Promise<Extent[]> {
  return mapWhere((entry) => entry.present && entry.depth === 0, imageArgs);
}

interface MapEntry {
  start: number;
  length: number;
  depth: number;
  present: boolean;
  zero: boolean;
  data: boolean;
}

async function mapWhere(
  wanted: (entry: MapEntry) => boolean,
  imageArgs: readonly string[],
): Promise<Extent[]> {
  const entries = JSON.parse(await qemuImg('map', '--output=json', ...imageArgs)) as MapEntry[];
  return coalesce(entries.filter(wanted).map(({ start, length }) => [start, length] as const));
}

/** Dirty ranges of a persistent bitmap, as `qemu-nbd -B` serves it read-only; nbdinfo starts and stops the server. */
export async function dirtyExtents(bitmap: string, imageArgs: readonly string[]): Promise<Extent[]> {
  const server = ['[', QEMU_NBD, '-r', '-B', bitmap, ...imageArgs, ']'];
  const { stdout } = await run(NBDINFO, [`--map=qemu:dirty-bitmap:${bitmap}`, '--json', '--', ...server], {
    maxBuffer: 1 << 28,
  });
  const entries = JSON.parse(stdout) as { offset: number; length: number; type: number }[];
  return coalesce(
    entries.filter(({ type }) => type === 1).map(({ offset, length }) => [offset, length] as const),
  );
}

/** Writes as a guest would: QEMU opens the image, loads its bitmaps, records into them and stores them when it closes. */
export async function writeRecorded(image: string, extents: readonly Extent[]): Promise<void> {
  const commands = extents.map(([offset, length]) => `write ${offset} ${length}`);
  await qemuIo(['-f', 'qcow2', image], ...commands);
}

export function coalesce(extents: readonly Extent[]): Extent[] {
  const merged: [number, number][] = [];
  for (const [offset, length] of extents) {
    const last = merged.at(-1);
    if (last !== undefined && last[0] + last[1] === offset) last[1] += length;
    else merged.push([offset, length]);
  }
  return merged;
}

/** Runs with a temporary folder of its own, removed afterwards. */
export async function withFolder<T>(work: (folder: string) => Promise<T>, prefix = 'cbt'): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), `${prefix}-`));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
