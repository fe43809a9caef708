/**
 * The guest's root file system, which lives in its memory: busybox, the guest agent with its libraries, kernel modules
 * for virtio and ext4, the scripts in `root/`, and the program that writes.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../qemuProcess.js';
import { type ArchiveEntry, makeArchive } from './cpio.js';
import { kernelRelease } from './packages.js';

const SCRIPTS = fileURLToPath(new URL('root/', import.meta.url));
const WRITER = fileURLToPath(new URL('writer.c', import.meta.url));
const AGENT = 'usr/sbin/qemu-ga';
const MODULES = ['virtio_pci', 'virtio_blk', 'virtio_console', 'ext4'];
const FOLDERS = ['proc', 'sys', 'dev', 'run', 'mnt'];

/** The archive, from the files that {@link guestFiles} gives; `work` is a folder for what is made on the way. */
export async function makeInitramfs(root: string, work: string): Promise<Buffer> {
  const entries: ArchiveEntry[] = FOLDERS.map((folder) => ({ path: folder, content: null }));
  const pack = async (target: string, source: string, executable: boolean): Promise<void> => {
    entries.push({ path: target, content: await readFile(source), executable });
  };
  await pack('bin/busybox', path.join(root, 'bin/busybox'), true);
  await pack('bin/qemu-ga', path.join(root, AGENT), true);
  for (const library of await librariesOf(path.join(root, AGENT))) {
    await pack(library.slice(1), library, true);
  }
  for (const script of await readdir(SCRIPTS)) {
    await pack(script === 'init' ? 'init' : `bin/${script}`, path.join(SCRIPTS, script), true);
  }
  await pack('bin/writer', await compileWriter(work), true);
  // Numbered, for the order of names is then the order of loading.
  for (const [index, module] of (await modulesOf(root)).entries()) {
    await pack(`modules/${String(index).padStart(3, '0')}-${path.basename(module)}`, module, false);
  }
  return makeArchive(entries);
}

/** It uses the C library alone, which the agent brings along. */
async function compileWriter(work: string): Promise<string> {
  const program = path.join(work, 'writer');
  await run('gcc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', program, WRITER]);
  return program;
}

/** The program's libraries and its loader; the packages it depends on are QEMU's own too. */
async function librariesOf(program: string): Promise<string[]> {
  const listed = await run('ldd', [program]);
  if (listed.includes('not found')) throw new Error(`the guest agent lacks libraries here: ${listed}`);
  return [...listed.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]!);
}

/** Modules in the order in which they can be loaded; those that are built into the kernel are left out. */
async function modulesOf(root: string): Promise<string[]> {
  const folder = path.join(root, 'lib/modules', await kernelRelease(root));
  const dependencies = new Map<string, string[]>();
  for (const line of (await readFile(path.join(folder, 'modules.dep'), 'utf8')).split('\n')) {
    const [file, needed] = line.split(':');
    if (file) dependencies.set(moduleName(file), [file, ...(needed?.split(' ').filter(Boolean) ?? [])]);
  }
  const builtin = (await readFile(path.join(folder, 'modules.builtin'), 'utf8')).split('\n').map(moduleName);
  const ordered = new Set<string>();
  for (const module of MODULES) {
    const files = dependencies.get(module);
    if (files === undefined && !builtin.includes(module))
      throw new Error(`the kernel has no module ${module}`);
    // What a module needs is listed after it, and what that needs still further behind.
    for (const file of files?.reverse() ?? []) ordered.add(path.join(folder, file));
  }
  return [...ordered];
}

function moduleName(file: string): string {
  return path.basename(file).split('.')[0]!.replaceAll('-', '_');
}
