/**
 * The fake NBD server is held against the real ones: libnbd's own programs read it, and it answers as qemu-nbd does for
 * the same image. Only then is what other tests learn from it worth something.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NbdConnection } from '../../lib/backend/nbd/nbdConnection.js';
import { type Extent, type FakeNbdScript, FakeNbdServer } from '../helpers/fakeNbdServer.js';
import { startQemuNbd } from '../helpers/nbdServers.js';
import { coalesce, qemuImg, qemuIo } from '../helpers/qemuTools.js';
import { servedImage } from '../helpers/servedImage.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporaryFolder.js';

const run = promisify(execFile);
const KiB = 1024;
const MiB = 1024 * KiB;
const BITMAP = 'qemu:dirty-bitmap:b0';

let folder: TemporaryFolder;
let fake: FakeNbdServer | undefined;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(async () => {
  await fake?.close();
  fake = undefined;
  await folder.remove();
});

async function serve(script: FakeNbdScript): Promise<string> {
  const socket = join(folder.path, 'fake');
  fake = await FakeNbdServer.listen(socket, script);
  return socket;
}

const uri = (socket: string): string => `nbd+unix:///?socket=${socket}`;

/** Bytes that tell where they were read. */
function pattern(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1) bytes[i] = ((offset + i) >> 9) ^ (offset + i);
  return bytes;
}

const allocation: Extent[] = [
  { length: 64 * KiB, flags: 0 },
  { length: MiB - 64 * KiB, flags: 3 },
  { length: 3 * MiB, flags: 2 },
  { length: 512, flags: 0 },
];
const sizeBytes = allocation.reduce((sum, { length }) => sum + length, 0);

interface MapEntry {
  offset: number;
  length: number;
  type: number;
}

async function nbdinfoMap(socket: string, context: string): Promise<MapEntry[]> {
  const { stdout } = await run('nbdinfo', [`--map=${context}`, '--json', uri(socket)]);
  return JSON.parse(stdout) as MapEntry[];
}

describe("libnbd's programs read the fake server", () => {
  test.each([true, false])('nbdinfo lists it, structured replies %s', async (structuredReplies) => {
    const socket = await serve({ sizeBytes, structuredReplies, contexts: { 'base:allocation': allocation } });
    const { stdout } = await run('nbdinfo', ['--json', '--no-content', uri(socket)]);
    const listed = JSON.parse(stdout);
    expect(listed.structured).toBe(structuredReplies);
    expect(listed.exports[0]['export-size']).toBe(sizeBytes);
    expect(listed.exports[0].contexts ?? []).toEqual(structuredReplies ? ['base:allocation'] : []);
    expect(listed.exports[0].is_read_only).toBe(true);
  });

  test('nbdinfo maps both contexts', async () => {
    const dirty: Extent[] = [
      { length: 2 * MiB, flags: 0 },
      { length: MiB, flags: 1 },
      { length: sizeBytes - 3 * MiB, flags: 0 },
    ];
    const socket = await serve({ sizeBytes, contexts: { 'base:allocation': allocation, [BITMAP]: dirty } });
    for (const [context, truth] of [
      ['base:allocation', allocation],
      [BITMAP, dirty],
    ] as const) {
      const entries = await nbdinfoMap(socket, context);
      expect(entries.map(({ length, type }) => ({ length, flags: type }))).toEqual(truth);
    }
  });

  test.each([true, false])('nbdcopy copies it, structured replies %s', async (structuredReplies) => {
    const socket = await serve({ sizeBytes, structuredReplies, contents: pattern });
    const copy = join(folder.path, 'copy');
    await run('nbdcopy', [uri(socket), copy]);
    expect((await readFile(copy)).equals(pattern(0, sizeBytes))).toBe(true);
  });
});

describe('the fake server answers as qemu-nbd does', () => {
  test('for the same bitmap and the same data', async () => {
    const image = join(folder.path, 'a.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
    await qemuImg('bitmap', '--add', '-g', '64K', image, 'b0');
    await qemuIo(['-f', 'qcow2', image], 'write -P 1 1M 64K', 'write -P 2 5M 200K', 'write -z 9M 1M');
    await qemuImg('bitmap', '--disable', image, 'b0');
    const real = await startQemuNbd(folder.path, '-r', '-e', '4', '-f', 'qcow2', '-B', 'b0', image);
    try {
      const contexts: Record<string, Extent[]> = {};
      for (const context of ['base:allocation', BITMAP]) {
        const entries = await nbdinfoMap(real.socket, context);
        contexts[context] = entries.map(({ length, type }) => ({ length, flags: type }));
      }
      const raw = join(folder.path, 'a.raw');
      await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', image, raw);
      const bytes = await readFile(raw);
      const socket = await serve({
        sizeBytes: bytes.length,
        contexts,
        contents: (offset, length) => bytes.subarray(offset, offset + length),
      });
      const answers = await Promise.all([real.socket, socket].map(askEverything));
      expect(answers[1]).toEqual(answers[0]);
      expect(answers[0]?.dirty.length).toBeGreaterThan(4);
    } finally {
      await real.stop();
    }
  });
});

async function askEverything(path: string) {
  const window = { startBytes: 0, endBytes: 16 * MiB, maxRanges: Number.POSITIVE_INFINITY };
  const connection = await NbdConnection.open(
    { kind: 'unix', path },
    { contexts: [BITMAP, 'base:allocation'] },
  );
  try {
    const dirty = (await connection.blockStatus(BITMAP, 'dirty', window)).ranges;
    return {
      dirty: [...dirty],
      data: [...(await connection.blockStatus('base:allocation', 'data', window)).ranges],
      zero: [...(await connection.blockStatus('base:allocation', 'zero', window)).ranges],
      bytes: await connection.readRanges(dirty),
    };
  } finally {
    await connection.close();
  }
}

test('ranges out of a map match those qemu-img knows', async () => {
  const image = join(folder.path, 'b.raw');
  await writeFile(image, Buffer.concat([Buffer.alloc(MiB), pattern(0, MiB), Buffer.alloc(2 * MiB)]));
  const target = await servedImage({ file: image, format: 'raw' });
  const connection = await NbdConnection.open(target, { contexts: ['base:allocation'] });
  try {
    const window = { startBytes: 0, endBytes: 4 * MiB, maxRanges: Number.POSITIVE_INFINITY };
    const { ranges } = await connection.blockStatus('base:allocation', 'data', window);
    const map = JSON.parse(await qemuImg('map', '--output=json', '-f', 'raw', image)) as {
      start: number;
      length: number;
      data: boolean;
    }[];
    const expected = coalesce(
      map.filter(({ data }) => data).map(({ start, length }) => [start, length] as const),
    );
    expect([...ranges]).toEqual(expected.flat());
  } finally {
    await connection.close();
  }
});
