/**
 * Sessions while a guest writes without pause: one instant on all disks, two sessions at once, and rolled-back ones that lose
 * nothing.
 */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Session, SessionMode } from '../../../../../lib/core/session.js';
import type { Vm } from '../../../../../lib/core/vm.js';
import { openData } from '../../../../../lib/host/data.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { GuestWriter, PAGE } from '../../../../helpers/guestWriter.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const POINTS = Number(process.env['INSTANTS'] ?? 20);

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  const file = (name: string): string => join(folder.path, `${name}.qcow2`);
  for (const name of ['a', 'b']) await qemuImg('create', '-q', '-f', 'qcow2', file(name), '16M');
  daemon = await StorageDaemon.start({
    disks: ['a', 'b'].map((node) => ({ node, file: file(node), options: { discard: 'unmap' } })),
  });
  await daemon.exportWritable('a', 'b');
  vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
});
afterEach(async () => {
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

let mode: SessionMode = 'fleece';
const begin = (): Promise<Session> =>
  vm.begin({ mode, nbdSocket: daemon.nbdPath, scratch: { folder: folder.path } });

async function shown(session: Session, disk: string, offset: number, length: number): Promise<Buffer> {
  const { unsafeExportUri: uri = '' } = session.disks.find((d) => d.disk === disk) ?? {};
  await using data = await openData({ kind: 'uri', uri });
  return await data.read(offset, length);
}

/** Writes each number to a, makes it stable, writes it to b, and so on. */
class OrderedWriter {
  number = 0;
  failed: unknown = null;
  #stopping = false;
  readonly #ended = this.#run().catch((error: unknown) => {
    this.failed = error;
  });

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    await using a = await openData({ kind: 'unix', path: daemon.nbdPath, exportName: 'a' });
    await using b = await openData({ kind: 'unix', path: daemon.nbdPath, exportName: 'b' });
    const sector = Buffer.alloc(512);
    for (; !this.#stopping; this.number += 1) {
      sector.writeDoubleLE(this.number + 1);
      await a.write(0, sector);
      await a.flush();
      await b.write(0, sector);
      await b.flush();
    }
  }
}

describe.each(['fleece', 'overlay'] as const)('sessions under a writing guest, %s', (asked) => {
  beforeEach(() => {
    mode = asked;
  });

  test(`show one instant on two disks, ${POINTS} times`, async () => {
    const writer = new OrderedWriter();
    const seen: [number, number][] = [];
    try {
      for (let n = 0; n < POINTS; n += 1) {
        const before = writer.number;
        while (writer.number < before + 3 && writer.failed === null)
          await new Promise((resolve) => setImmediate(resolve));
        const session = await begin();
        const [a, b] = await Promise.all(['a', 'b'].map((disk) => shown(session, disk, 0, 512)));
        const numbers: [number, number] = [a!.readDoubleLE(), b!.readDoubleLE()];
        seen.push(numbers);
        // What is read again is the same, however far the guest has got.
        expect((await shown(session, 'a', 0, 512)).readDoubleLE()).toBe(numbers[0]);
        await session.check();
        if (n % 3 === 0) await session.rollback();
        else await session.commit();
      }
    } finally {
      await writer.stop();
    }
    expect(writer.failed).toBeNull();
    for (const [a, b] of seen) expect([a, a - 1], JSON.stringify(seen)).toContain(b);
    expect(new Set(seen.map(([a]) => a)).size).toBe(POINTS);
  });

  test('a second session is refused with BUSY, from this process and at the same time, and the first stays whole', async () => {
    const writer = await GuestWriter.start(daemon.nbdPath, 'a', { zoneBytes: 0, pages: 64, seed: 6 });
    try {
      const first = await begin();
      await first.commit();
      // Both at once: one of them at most; no chain breaks.
      const both = await Promise.allSettled([begin(), begin()]);
      const open = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      const refused = both.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
      expect(open.length).toBeLessThanOrEqual(1);
      for (const error of refused)
        expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
      const session = open[0] ?? (await begin());
      expect(await refusalOf(begin())).toMatchObject({
        reason: 'BUSY',
        message: expect.stringContaining(session.pit),
      });
      const now = await shown(session, 'a', 0, 64 * PAGE);
      await writer.progress(50);
      expect(await shown(session, 'a', 0, 64 * PAGE)).toEqual(now);
      await session.commit();
      const next = await begin();
      expect(next.disks).toMatchObject([
        { verdict: 'incremental', base: session.pit },
        { verdict: 'incremental', base: session.pit },
      ]);
      const disk = await next.openDisk('a');
      for (const from of [first.pit, session.pit])
        expect(await (await disk.changes({ from })).changedBytes()).toBeGreaterThan(0);
      await next.rollback();
      await writer.progress(10);
    } finally {
      await writer.stop();
    }
    expect(writer.failed).toBeNull();
  });

  test('what was rolled back is in the next increment, with what came after it', async () => {
    const first = await begin();
    await first.commit();
    await daemon.guestIo('a', 'write -P 1 1M 64k');
    for (let n = 0; n < 3; n += 1) {
      const lost = await begin();
      await daemon.guestIo('a', `write -P 2 ${4 + n}M 64k`);
      await lost.rollback();
    }
    await daemon.guestIo('a', 'discard 8M 64k');
    const next = await begin();
    const disk = await next.openDisk('a');
    const map = await disk.changes({ from: first.pit });
    expect(Array.from(await map.ranges())).toEqual([1, 4, 5, 6, 8].flatMap((mib) => [mib * 2 ** 20, 65_536]));
    expect((await disk.pits()).pits.map(({ pit }) => pit)).toEqual([first.pit, next.pit]);
    await next.commit();
  });
});
