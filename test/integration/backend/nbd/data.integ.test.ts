/** Data out of and into real images: reads, streams, writes, zeros, trims; a qemu-nbd of ours and what it leaves behind. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NbdConnection } from '../../../../lib/backend/nbd/nbdConnection.js';
import { startNbdkit, startQemuNbd, startQemuNbdOnTcp } from '../../../helpers/nbdServers.js';
import { mapData, qemuImg, qemuIo } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';
import { servedImage } from '../../../helpers/servedImage.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../helpers/temporaryFolder.js';

const MiB = 1024 * 1024;

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(() => folder.remove());

async function withConnection<T>(
  target: Parameters<typeof NbdConnection.open>[0],
  use: (connection: NbdConnection) => Promise<T>,
  options: Parameters<typeof NbdConnection.open>[1] = {},
): Promise<T> {
  const connection = await NbdConnection.open(target, options);
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

async function rawOf(image: string): Promise<Buffer> {
  const raw = join(folder.path, 'out.raw');
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', image, raw);
  return readFile(raw);
}

async function collect(stream: AsyncIterable<{ offset: number; data: Buffer }>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const { data } of stream) parts.push(Buffer.from(data));
  return Buffer.concat(parts);
}

describe('reading', () => {
  test('a raw file over one and over several connections', async () => {
    const bytes = randomBytes(24 * MiB + 512);
    const image = join(folder.path, 'a.raw');
    await writeFile(image, bytes);
    const server = await startQemuNbd(folder.path, '-r', '-e', '8', '-f', 'raw', image);
    try {
      for (const connections of [1, 4]) {
        await withConnection(
          { kind: 'unix', path: server.socket },
          async (c) => {
            expect(c.info.canMultiConn).toBe(true);
            const ranges = Float64Array.of(0, 5, 100, 3 * MiB, 4 * MiB + 1, 18 * MiB, 24 * MiB, 512);
            const expected = Buffer.concat(
              [0, 1, 2, 3].map((i) => {
                const [offset, length] = [ranges[2 * i]!, ranges[2 * i + 1]!];
                return bytes.subarray(offset, offset + length);
              }),
            );
            expect((await c.readRanges(ranges)).equals(expected)).toBe(true);
            expect((await collect(c.stream(ranges))).equals(expected)).toBe(true);
            const parts: Buffer[] = [];
            const copy = async ({ data }: { data: Buffer }) => parts.push(Buffer.from(data));
            await c.forEachPiece(ranges, copy, { chunkBytes: 100_000 });
            expect(Buffer.concat(parts).equals(expected)).toBe(true);
          },
          { connections },
        );
      }
    } finally {
      await server.stop();
    }
  });

  test('over TCP', async () => {
    const image = await pattern('t.raw', 64 * 1024);
    const tcp = await startQemuNbdOnTcp(folder.path, '-r', '-f', 'raw', image);
    try {
      const bytes = await readFile(image);
      for (const target of [
        { kind: 'tcp', host: '127.0.0.1', port: tcp.port },
        { kind: 'uri', uri: `nbd://127.0.0.1:${tcp.port}/` },
      ] as const) {
        await withConnection(target, async (c) => expect((await c.read(0, 65536)).equals(bytes)).toBe(true));
      }
    } finally {
      await tcp.stop();
    }
  });

  test('from a server with large blocks only, at any offset', async () => {
    const filter = ['--filter=blocksize-policy', 'memory', '64K'];
    const policy = ['blocksize-minimum=4096', 'blocksize-preferred=4096', 'blocksize-error-policy=error'];
    const server = await startNbdkit(folder.path, ...filter, ...policy);
    try {
      await withConnection({ kind: 'unix', path: server.socket }, async (c) => {
        expect(c.info.minBlockBytes).toBe(4096);
        await c.write(4096, Buffer.alloc(8192, 7));
        const read = await c.readRanges(Float64Array.of(4000, 200, 12_000, 500));
        const expected = Buffer.concat([Buffer.alloc(96), Buffer.alloc(104 + 288, 7), Buffer.alloc(212)]);
        expect(read.equals(expected)).toBe(true);
      });
    } finally {
      await server.stop();
    }
  });
});

describe('writing into a qcow2 image', () => {
  test('what comes out is what went in, and the image is sound', async () => {
    const image = join(folder.path, 'w.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '64M');
    await qemuIo(['-f', 'qcow2', image], 'write -P 9 0 64M');
    const model = Buffer.alloc(64 * MiB, 9);
    await withConnection(await servedImage({ file: image, format: 'qcow2', readOnly: false }), async (c) => {
      expect(c.info).toMatchObject({
        readOnly: false,
        canZero: true,
        canTrim: true,
        canForceUnitAccess: true,
      });
      const data = randomBytes(5 * MiB);
      await c.write(3 * MiB + 7, data);
      data.copy(model, 3 * MiB + 7);
      const parts = Float64Array.of(20 * MiB, 100, 21 * MiB, 3 * MiB);
      const more = randomBytes(100 + 3 * MiB);
      await c.writeRanges(parts, more, { forceUnitAccess: true });
      more.copy(model, 20 * MiB, 0, 100);
      more.copy(model, 21 * MiB, 100);
      const shared = new Uint8Array(new SharedArrayBuffer(1000)).fill(5);
      await c.write(30 * MiB, shared);
      model.fill(5, 30 * MiB, 30 * MiB + 1000);
      function* source() {
        for (let i = 0; i < 100; i += 1) yield { offset: 40 * MiB + i * 10_000, data: Buffer.alloc(9000, i) };
      }
      expect(await c.writeStream(source(), { queueBytes: 50_000 })).toBe(900_000);
      for (let i = 0; i < 100; i += 1) model.fill(i, 40 * MiB + i * 10_000, 40 * MiB + i * 10_000 + 9000);
      await c.zero(Float64Array.of(50 * MiB, 2 * MiB));
      await c.zero(Float64Array.of(53 * MiB, MiB), { keepAllocated: true });
      model.fill(0, 50 * MiB, 52 * MiB);
      model.fill(0, 53 * MiB, 54 * MiB);
      await c.trim(Float64Array.of(60 * MiB, 4 * MiB));
      model.fill(0, 60 * MiB);
      await c.flush();
    });
    expect((await rawOf(image)).equals(model)).toBe(true);
    await qemuImg('check', '-q', '-f', 'qcow2', image);
    const data = await mapData('-f', 'qcow2', image);
    const holds = (at: number) => data.some(([offset, length]) => at >= offset && at < offset + length);
    expect([50, 61].map((at) => holds(at * MiB))).toEqual([false, false]);
  });

  test('closing waits for qemu-nbd to let go of the image', async () => {
    const image = join(folder.path, 'l.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '64M');
    for (let i = 0; i < 5; i += 1) {
      await withConnection(await servedImage({ file: image, format: 'qcow2', readOnly: false }), (c) =>
        c.write(i * MiB, randomBytes(MiB)),
      );
      // Fails at once while anybody holds the image for writing.
      await qemuImg('resize', '-q', '-f', 'qcow2', image, `${65 + i}M`);
    }
  });
});

describe('a qemu-nbd of ours that cannot', () => {
  test('have the image, because it is in use, says BUSY', async () => {
    const image = join(folder.path, 'b.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '1M');
    const served = await servedImage({ file: image, format: 'qcow2', readOnly: false });
    await withConnection(served, async () => {
      const error = await refusalOf(NbdConnection.open(served));
      expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
      expect(error.reason).toBe('BUSY');
    });
  });

  test('open the image says why', async () => {
    const image = join(folder.path, 'n.qcow2');
    await writeFile(image, 'not an image');
    const error = await refusalOf(
      NbdConnection.open({
        kind: 'qemu-nbd',
        file: image,
        node: { driver: 'qcow2', file: { driver: 'file', filename: image } },
      }),
    );
    expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
    expect(error.details['server']).toMatch(/Image is not in qcow2 format/);
    // What the user asked for, not what is started around it.
    expect(error.message).toContain(`qemu-nbd of ${image}`);
    expect(error.message).not.toContain('setpriv');
  });

  test('be started is named', async () => {
    const image = await pattern('p.raw', 512);
    const target = await servedImage({ file: image, format: 'raw', program: '/opt/none/qemu-nbd' });
    const error = await refusalOf(NbdConnection.open(target));
    expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
    expect(error.message).toMatch(/\/opt\/none\/qemu-nbd: not found/);
  });
});

async function pattern(name: string, length: number): Promise<string> {
  const path = join(folder.path, name);
  await writeFile(path, randomBytes(length));
  return path;
}
