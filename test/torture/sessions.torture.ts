/**
 * Sessions one after the other on one QEMU, by one process: nothing grows, neither there nor here. TORTURE_SESSIONS of them,
 * fleecing and overlay in turn, committed and rolled back in turn, each read through.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NbdConnection } from '../../lib/backend/nbd/nbdConnection.js';
import { openData } from '../../lib/host/data.js';
import { connectVm } from '../../lib/host/vm.js';
import { qemuImg } from '../helpers/qemuTools.js';
import { StorageDaemon } from '../helpers/storageDaemon.js';
import { makeTemporaryFolder } from '../helpers/temporaryFolder.js';

const SESSIONS = Number(process.env['TORTURE_SESSIONS'] ?? 24);
/** Sessions before the first look: by then everything that is kept for later is there. */
const WARM_UP = Math.min(8, Math.floor(SESSIONS / 2));
const DISKS = ['a', 'b'] as const;
const KIB = 1024;
/** What may come and go between two looks, of memory that nobody holds: the collector and the allocator work in pieces. */
const MEMORY_KIB = 48 * KIB;

interface Look {
  descriptors: number;
  theirDescriptors: number;
  memoryKib: number;
  theirMemoryKib: number;
  nodes: string[];
  exports: string[];
  jobs: string[];
  files: string[];
}

test(`${SESSIONS} sessions leave nothing and cost nothing`, async () => {
  const folder = await makeTemporaryFolder();
  const image = (name: string): string => join(folder.path, `${name}.qcow2`);
  for (const name of DISKS) await qemuImg('create', '-q', '-f', 'qcow2', image(name), '4M');
  const daemon = await StorageDaemon.start({ disks: DISKS.map((node) => ({ node, file: image(node) })) });
  const vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
  try {
    await daemon.exportWritable(...DISKS);
    const guestOf = (exportName: string): Promise<NbdConnection> =>
      NbdConnection.open({ kind: 'unix', path: daemon.nbdPath, exportName });
    await using first = await guestOf('a');
    await using second = await guestOf('b');
    const guests = { a: first, b: second };
    await vm.enable();
    const descriptorsOf = async (pid: number | 'self'): Promise<number> =>
      (await readdir(`/proc/${pid}/fd`)).length;
    const memoryOf = async (pid: number | 'self'): Promise<number> =>
      Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
    const look = async (): Promise<Look> => {
      for (let n = 0; n < 3; n += 1) {
        globalThis.gc?.();
        await new Promise((resolve) => setImmediate(resolve));
      }
      const { control, pid } = daemon.process;
      const listed = async (command: string, key: string): Promise<string[]> =>
        ((await control.execute(command)) as Record<string, string>[]).map((one) => String(one[key])).sort();
      return {
        descriptors: await descriptorsOf('self'),
        theirDescriptors: await descriptorsOf(pid),
        memoryKib: await memoryOf('self'),
        theirMemoryKib: await memoryOf(pid),
        nodes: (await listed('query-named-block-nodes', 'node-name')).filter((name) => !name.startsWith('#')),
        exports: await listed('query-block-exports', 'id'),
        jobs: await listed('query-jobs', 'id'),
        files: (await readdir(folder.path)).sort(),
      };
    };
    let before: Look | null = null;
    for (let n = 0; n < SESSIONS; n += 1) {
      if (n === WARM_UP) before = await look();
      const mode = n % 2 === 0 ? 'fleece' : 'overlay';
      const session = await vm.begin({ mode, scratch: { folder: folder.path } });
      for (const { disk, unsafeExportUri: uri } of session.disks) {
        const node = DISKS.find((name) => name === disk) ?? 'a';
        await guests[node].write((n % 64) * 65_536, Buffer.alloc(65_536, 1 + (n % 250)));
        await using data = await openData({ kind: 'uri', uri: uri ?? '' });
        await data.read(0, 65_536);
        const map = await (await session.openDisk(disk)).changes({ from: '*' });
        await map.changedBytes();
      }
      await (n % 4 < 2 ? session.commit() : session.rollback());
      // Points that nobody needs any more would grow by one a session, which is theirs to decide who takes them.
      if (n % 4 < 2) await forgetOldest();
    }
    const after = await look();
    expect(before).not.toBeNull();
    const { memoryKib, theirMemoryKib, ...rest } = after;
    const { memoryKib: was, theirMemoryKib: theirs, ...same } = before as Look;
    expect(rest).toEqual(same);
    expect(memoryKib - was).toBeLessThan(MEMORY_KIB);
    expect(theirMemoryKib - theirs).toBeLessThan(MEMORY_KIB);
    process.stdout.write(
      `${SESSIONS} sessions: ${same.descriptors} to ${rest.descriptors} descriptors, ` +
        `${was} to ${memoryKib} KiB here, ${theirs} to ${theirMemoryKib} KiB in QEMU\n`,
    );
  } finally {
    await vm.close();
    await daemon[Symbol.asyncDispose]();
    await folder.remove();
  }

  async function forgetOldest(): Promise<void> {
    const disk = await vm.openDisk(DISKS[0]);
    const { pits } = await disk.pits();
    await disk.close();
    const [oldest] = pits;
    if (pits.length > 3 && oldest !== undefined) await vm.forget(oldest.pit);
  }
});
