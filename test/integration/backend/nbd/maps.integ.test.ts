/** Maps from real QEMU exports: granularities, odd sizes, dense bitmaps past QEMU's limit of a reply, several contexts. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NbdConnection } from '../../../../lib/backend/nbd/nbdConnection.js';
import { checkRanges } from '../../../../lib/core/rangePage.js';
import { startQemuNbd } from '../../../helpers/nbdServers.js';
import { buildQcow2 } from '../../../helpers/qcow2Builder.js';
import { dirtyExtents, mapData, mapTopLayer, qemuImg, qemuIo } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';
import { servedImage } from '../../../helpers/servedImage.js';
import { StorageDaemon } from '../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../helpers/temporaryFolder.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const TiB = 1024 * GiB;
const ALL = Number.POSITIVE_INFINITY;

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(() => folder.remove());

const whole = (connection: NbdConnection) => ({
  startBytes: 0,
  endBytes: connection.info.sizeBytes,
  maxRanges: ALL,
});

async function withConnection<T>(
  target: Parameters<typeof NbdConnection.open>[0],
  contexts: readonly string[],
  use: (connection: NbdConnection) => Promise<T>,
): Promise<T> {
  const connection = await NbdConnection.open(target, { contexts });
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

/** An image whose bitmap has every second bit set, without a byte of guest data: all of its table names one cluster. */
async function alternatingImage(size: number, granularityBits: number): Promise<string> {
  const clusterBytes = 65536;
  const entries = Math.ceil(size / 2 ** granularityBits / 8 / clusterBytes);
  const spec = (offset: bigint) => ({
    size,
    bitmaps: [
      { name: 'b0', granularityBits, flags: 0, table: Array.from({ length: entries }, () => offset) },
    ],
  });
  const offset = buildQcow2(spec(0n)).bytes.length;
  const image = join(folder.path, 'alternating.qcow2');
  const pattern = Buffer.alloc(clusterBytes, 0x55);
  await writeFile(image, Buffer.concat([buildQcow2(spec(BigInt(offset))).bytes, pattern]));
  return image;
}

describe('dirty bitmaps', () => {
  test.each([512, 4 * KiB, 64 * KiB, 2 * MiB])(
    'of granularity %s are what nbdinfo reads',
    async (granularity) => {
      const image = join(folder.path, 'a.qcow2');
      await qemuImg('create', '-q', '-f', 'qcow2', image, '3G');
      await qemuImg('bitmap', '--add', '-g', String(granularity), image, 'b 0,"x"');
      const writes = Array.from(
        { length: 40 },
        (_, i) => `write ${(i * i * 1_500_160) % (3 * GiB)} ${512 * (1 + i)}`,
      );
      await qemuIo(['-f', 'qcow2', image], ...writes);
      const expected = await dirtyExtents('b 0,"x"', ['-f', 'qcow2', image]);
      const context = 'qemu:dirty-bitmap:b 0,"x"';
      await withConnection(
        await servedImage({ file: image, format: 'qcow2', bitmaps: ['b 0,"x"'] }),
        [context],
        async (c) => {
          const page = await c.blockStatus(context, 'dirty', whole(c));
          expect([...page.ranges]).toEqual(expected.flat());
          expect(page.nextBytes).toBe(3 * GiB);
          const pager = c.pager(context, 'dirty');
          const paged: number[] = [];
          for (let at = 0; at < 3 * GiB; ) {
            const next = await pager.page({ startBytes: at, endBytes: 3 * GiB, maxRanges: 7 });
            paged.push(...next.ranges);
            at = next.nextBytes;
          }
          expect(paged).toEqual(expected.flat());
        },
      );
      expect(expected.length).toBeGreaterThan(5);
    },
  );

  test('of 1 TiB, every second 64 KiB: 2^23 ranges', async () => {
    const image = await alternatingImage(TiB, 16);
    const context = 'qemu:dirty-bitmap:b0';
    await withConnection(
      await servedImage({ file: image, format: 'qcow2', bitmaps: ['b0'] }),
      [context],
      async (c) => {
        const { ranges, nextBytes } = await c.blockStatus(context, 'dirty', whole(c));
        expect(nextBytes).toBe(TiB);
        expect(ranges.length / 2).toBe(2 ** 23);
        checkRanges('ranges', ranges);
        expect(ranges.every((value, i) => value === (i % 2 === 0 ? i * 65536 : 65536))).toBe(true);
      },
    );
  });

  test("dense beyond the 131072 extents of QEMU's replies", async () => {
    const image = await alternatingImage(TiB, 9);
    const context = 'qemu:dirty-bitmap:b0';
    await withConnection(
      await servedImage({ file: image, format: 'qcow2', bitmaps: ['b0'] }),
      [context],
      async (c) => {
        const window = { startBytes: GiB, endBytes: 2 * GiB, maxRanges: ALL };
        const { ranges } = await c.blockStatus(context, 'dirty', window);
        expect(ranges.length / 2).toBe(2 ** 20);
        expect(ranges.every((value, i) => value === (i % 2 === 0 ? GiB + i * 512 : 512))).toBe(true);
        const capped = await c.blockStatus(context, 'dirty', { ...window, maxRanges: 200_000 });
        expect(capped.ranges.length / 2).toBe(200_000);
        expect(capped.nextBytes).toBe(GiB + 200_000 * 1024);
      },
    );
  });

  test('of a disk whose size is no multiple of the granularity', async () => {
    const image = join(folder.path, 'odd.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, String(10 * MiB + 512));
    await qemuImg('bitmap', '--add', '-g', '64K', image, 'b0');
    await qemuIo(['-f', 'qcow2', image], `write ${10 * MiB} 512`);
    const context = 'qemu:dirty-bitmap:b0';
    await withConnection(
      await servedImage({ file: image, format: 'qcow2', bitmaps: ['b0'] }),
      [context],
      async (c) => {
        expect([...(await c.blockStatus(context, 'dirty', whole(c))).ranges]).toEqual([10 * MiB, 512]);
      },
    );
  });

  test('that do not exist are an error, never an empty map', async () => {
    const image = join(folder.path, 'b.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '1M');
    const served = await servedImage({ file: image, format: 'qcow2' });
    const missing = await refusalOf(NbdConnection.open({ ...served, bitmaps: ['b0'] }));
    expect(missing.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
    expect(missing.message).toMatch(/Bitmap 'b0' is not found/);
    const unasked = await refusalOf(NbdConnection.open(served, { contexts: ['qemu:dirty-bitmap:b0'] }));
    expect(unasked.code).toBe('ERR_CBT_UNSUPPORTED');
    expect(unasked.details['context']).toBe('qemu:dirty-bitmap:b0');
  });
});

describe('allocation', () => {
  test('of a chain: data as qemu-img maps it, depth as its layers have it', async () => {
    const base = join(folder.path, 'base.qcow2');
    const top = join(folder.path, 'top.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', base, '64M');
    await qemuIo(['-f', 'qcow2', base], 'write 1M 3M', 'write -z 10M 1M', 'write 40M 64K');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top);
    await qemuIo(['-f', 'qcow2', top], 'write 2M 64K', 'write -z 40M 64K', 'write 60M 1M');
    const served = await servedImage({ file: top, format: 'qcow2' });
    await withConnection(served, ['base:allocation'], async (c) => {
      const { ranges } = await c.blockStatus('base:allocation', 'data', whole(c));
      expect([...ranges]).toEqual((await mapData('-f', 'qcow2', top)).flat());
    });
    const depth = 'qemu:allocation-depth';
    await withConnection({ ...served, allocationDepth: true }, [depth], async (c) => {
      const own = await c.blockStatus(depth, 'top', whole(c));
      expect([...own.ranges]).toEqual((await mapTopLayer('-f', 'qcow2', top)).flat());
      const any = await c.blockStatus(depth, 'allocated', whole(c));
      expect([...any.ranges]).toEqual([MiB, 3 * MiB, 10 * MiB, MiB, 40 * MiB, 64 * KiB, 60 * MiB, MiB]);
    });
    await withConnection(
      await servedImage({ file: top, format: 'qcow2', withoutBacking: true }),
      ['base:allocation'],
      async (c) => {
        const { ranges } = await c.blockStatus('base:allocation', 'data', whole(c));
        expect([...ranges]).toEqual([2 * MiB, 64 * KiB, 60 * MiB, MiB]);
        expect((await c.read(MiB, 4)).equals(Buffer.alloc(4))).toBe(true);
      },
    );
  });
});

test('two contexts of one connection answer apart, each with its own reach', async () => {
  const image = await alternatingImage(GiB, 9);
  const server = await startQemuNbd(folder.path, '-r', '-B', 'b0', '-f', 'qcow2', image);
  try {
    const context = 'qemu:dirty-bitmap:b0';
    await withConnection({ kind: 'unix', path: server.socket }, [context, 'base:allocation'], async (c) => {
      const [dirty, data, zero] = await Promise.all([
        c.blockStatus(context, 'dirty', whole(c)),
        c.blockStatus('base:allocation', 'data', whole(c)),
        c.blockStatus('base:allocation', 'zero', whole(c)),
      ]);
      expect(dirty.ranges.length / 2).toBe(2 ** 20);
      expect([...data.ranges]).toEqual([]);
      expect([...zero.ranges]).toEqual([0, GiB]);
    });
  } finally {
    await server.stop();
  }
});

test('a frozen bitmap of a running storage daemon, under its export name', async () => {
  const image = join(folder.path, 'live.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '64M');
  const daemon = await StorageDaemon.start({ disks: [{ node: 'd0', file: image }] });
  try {
    const { control } = daemon.process;
    await control.execute('block-dirty-bitmap-add', { node: 'd0', name: 'seg', granularity: 65536 });
    await daemon.exportWritable('d0');
    await daemon.guestIo('d0', 'write 1M 1M', 'write 33M 512');
    await control.execute('block-dirty-bitmap-disable', { node: 'd0', name: 'seg' });
    const frozen = { type: 'nbd', id: 'map', name: 'map/ä', 'node-name': 'd0', bitmaps: ['seg'] };
    await control.execute('block-export-add', frozen);
    const socket = encodeURIComponent(daemon.nbdPath);
    const context = 'qemu:dirty-bitmap:seg';
    for (const target of [
      { kind: 'unix', path: daemon.nbdPath, exportName: 'map/ä' },
      { kind: 'uri', uri: `nbd+unix:///map%2F%C3%A4?socket=${socket}` },
    ] as const) {
      await withConnection(target, [context], async (c) => {
        const { ranges } = await c.blockStatus(context, 'dirty', whole(c));
        expect([...ranges]).toEqual([MiB, MiB, 33 * MiB, 65536]);
      });
    }
    const unknown = await refusalOf(
      NbdConnection.open({ kind: 'unix', path: daemon.nbdPath, exportName: 'none' }),
    );
    expect(unknown.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
  } finally {
    await daemon[Symbol.asyncDispose]();
  }
});
