/**
 * The files that the guest is made of: Debian's own kernel for clouds, its static busybox and its guest agent. The packages
 * are downloaded by apt, unpacked without being installed, and kept under node_modules/.cache; remove that folder to
 * get newer ones.
 */
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../qemuProcess.js';

/** Depends on the newest kernel for virtual machines. */
const KERNEL = 'linux-image-cloud-amd64';
const OTHERS = ['busybox-static', 'qemu-guest-agent'];
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/qemu-cbt/', import.meta.url));
/** Changes when what is in the folder changes. */
const NAME = 'guest-1';

/** A folder with the unpacked packages, laid out as their files would be under `/`. */
export async function guestFiles(): Promise<string> {
  const ready = path.join(CACHE, NAME);
  if (await exists(ready)) return ready;
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(path.join(CACHE, `${NAME}-`));
  try {
    const unpacked = path.join(work, 'files');
    for (const archive of await download(work)) await run('dpkg-deb', ['-x', archive, unpacked]);
    await makeModuleIndex(unpacked);
    // Another process may have been quicker; what it made is as good.
    await rename(unpacked, ready).catch(async (error: unknown) => {
      if (!(await exists(ready))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return ready;
}

/** Downloads the packages with the system's lists, or with fresh ones where those are missing or out of date. */
async function download(work: string): Promise<string[]> {
  try {
    return await downloadWith([], path.join(work, 'packages'));
  } catch {
    const own = ['-o', `Dir::State::Lists=${work}/lists`, '-o', `Dir::Cache=${work}/apt`];
    await mkdir(path.join(work, 'lists'));
    // A source that cannot be reached may be one that is not needed: the download decides.
    await run('apt-get', [...own, '-qq', 'update']).catch(() => '');
    return downloadWith(own, path.join(work, 'fresh'));
  }
}

async function downloadWith(options: readonly string[], folder: string): Promise<string[]> {
  const depends = await run('apt-cache', [...options, 'depends', KERNEL]);
  const kernel = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (kernel === undefined) throw new Error(`${KERNEL} depends on no kernel package: ${depends}`);
  await mkdir(folder);
  await run('apt-get', [...options, '-qq', 'download', kernel, ...OTHERS], folder);
  return (await readdir(folder))
    .filter((name) => name.endsWith('.deb'))
    .map((name) => path.join(folder, name));
}

/** modules.dep is no part of the kernel's package: installing would make it. */
async function makeModuleIndex(root: string): Promise<void> {
  await run(path.join(root, 'bin/busybox'), ['depmod', '-b', root, await kernelRelease(root)]);
}

export async function kernelRelease(root: string): Promise<string> {
  const [release] = await readdir(path.join(root, 'lib/modules'));
  if (release === undefined) throw new Error(`there is no kernel in ${root}`);
  return release;
}

async function exists(folder: string): Promise<boolean> {
  return (await readdir(folder).catch(() => null)) !== null;
}
