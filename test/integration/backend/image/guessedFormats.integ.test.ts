/**
 * Formats that only the bytes tell: the guest of a raw disk writes them as it likes. What such an image names (a backing
 * file, a data file) is never opened, by us or by QEMU for us, unless somebody says what the image is.
 */
import { mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openData } from '../../../../lib/host/data.js';
import { ImageTracking } from '../../../../lib/host/imageTracking.js';
import { openDisk } from '../../../../lib/host/open.js';
import { cli } from '../../../helpers/cli.js';
import { buildQcow2 } from '../../../helpers/qcow2Builder.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';

const MIB = 1 << 20;
const NOT_FOLLOWED = { code: 'ERR_CBT_INVALID_ARGUMENT', details: { argument: 'format' } };

let folder: TemporaryFolder;
const at = (name: string): string => join(folder.path, name);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
});

afterEach(() => folder.remove());

/** A raw disk of random content whose guest wrote the header of a qcow2 image that `options` describe. */
async function forged(name: string, ...options: string[]): Promise<string> {
  await qemuImg('create', '-q', '-f', 'qcow2', '-u', ...options, at('forged'), '1M');
  const header = await readFile(at('forged'));
  const content = Buffer.alloc(4 * MIB, 'guest data');
  header.copy(content);
  await writeFile(at(name), content);
  return at(name);
}

describe('a raw disk whose guest wrote the header of an image over a file of the host', () => {
  let disk: string;
  let before: Buffer;

  beforeEach(async () => {
    await writeFile(at('secret'), 'SECRET OF THE HOST\n'.repeat(60_000));
    disk = await forged('disk', '-b', at('secret'), '-F', 'raw');
    before = await readFile(disk);
  });

  test.each([
    ['enable', []],
    ['reset', []],
    ['begin', []],
    ['disable', []],
    ['pits', []],
    ['changes', ['--from', '*']],
    ['map', ['--from', '*']],
    ['doctor', []],
  ])('%s refuses, says the way out, and writes nothing', async (command, options) => {
    const { code, stderr, stdout } = await cli(command, disk, ...options);
    expect(code).toBe(2);
    expect(stderr + stdout).toMatch(/--format.*--trust/);
    expect((await readFile(disk)).equals(before)).toBe(true);
  });

  test('backup and estimate refuse it; as raw, it is copied as it is', async () => {
    const to = at('backups');
    expect(await cli('backup', disk, '--to', to)).toMatchObject({ code: 2 });
    expect(await cli('estimate', disk, '--to', to)).toMatchObject({ code: 2 });
    expect(await cli('backup', disk, '--to', to, '--format', 'raw')).toMatchObject({ code: 0 });
    expect(await cli('restore', '--from', to, '--to', at('back.raw'))).toMatchObject({ code: 0 });
    expect((await readFile(at('back.raw'))).equals(before)).toBe(true);
  });

  test('the library refuses it too, and qemu-nbd is not started on it', async () => {
    expect(await refusalOf(openData({ kind: 'qemu-nbd', file: disk }))).toMatchObject(NOT_FOLLOWED);
    expect(await refusalOf(new ImageTracking([disk]).enable())).toMatchObject(NOT_FOLLOWED);
  });

  test('a name is no proof of a format, and one that contradicts the bytes is a doubt', async () => {
    const named = await forged('disk.qcow2', '-b', at('secret'), '-F', 'raw');
    expect(await refusalOf(new ImageTracking([named]).enable())).toMatchObject(NOT_FOLLOWED);
    const raw = await forged('disk.raw');
    const error = await refusalOf(new ImageTracking([raw]).enable());
    expect(error).toMatchObject(NOT_FOLLOWED);
    expect(error.message).toMatch(/name says raw/);
  });
});

test('an image that names nothing needs no word about it', async () => {
  await qemuImg('create', '-q', '-f', 'qcow2', at('plain'), '1M');
  expect(await cli('enable', at('plain'))).toMatchObject({ code: 0 });
  expect(await cli('backup', at('plain'), '--to', at('backups'))).toMatchObject({ code: 0 });
});

describe('an overlay', () => {
  let base: string;
  let top: string;

  beforeEach(async () => {
    await mkdir(at('images'));
    base = at('images/base');
    top = at('images/top');
    await qemuImg('create', '-q', '-f', 'qcow2', base, '1M');
    await qemuIo(['-f', 'qcow2', base], 'write -P 7 0 64k');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'base', '-F', 'qcow2', top);
  });

  test('with the format said is tracked and copied whole, and its header stays as it was', async () => {
    const told = ['--format', 'qcow2'];
    expect(await cli('enable', top, ...told)).toMatchObject({ code: 0 });
    const info = JSON.parse(await qemuImg('info', '--output=json', top));
    expect(info).toMatchObject({ 'backing-filename': 'base', 'backing-filename-format': 'qcow2' });
    expect(await cli('backup', top, '--to', at('b'), ...told)).toMatchObject({ code: 0 });
    expect(await cli('restore', '--from', at('b'), '--to', at('back.raw'))).toMatchObject({ code: 0 });
    expect((await readFile(at('back.raw'))).subarray(0, 65_536).every((byte) => byte === 7)).toBe(true);
  });

  test('of points of its own answers from its own tables without a word', async () => {
    const told = new ImageTracking([top], { format: 'qcow2' });
    await told.enable();
    const { pit } = await told.begin();
    await qemuIo(['-f', 'qcow2', top], 'write 512k 64k');
    await using disk = await openDisk(top);
    expect((await disk.pits()).notes.join()).toMatch(/not opened/);
    expect(await (await disk.changes({ from: pit })).ranges()).toEqual(Float64Array.of(512 << 10, 64 << 10));
    expect(await refusalOf(async () => (await disk.allocated()).ranges())).toMatchObject(NOT_FOLLOWED);
    expect(await refusalOf(new ImageTracking([top]).begin())).toMatchObject(NOT_FOLLOWED);
  });

  test('whose newest point may go on below is answered by nobody who does not look there', async () => {
    const pit = (await new ImageTracking([base]).enable()).pit!;
    await qemuIo(['-f', 'qcow2', base], 'write 128k 64k');
    // As libvirt puts an overlay on: what records gets a bitmap of its name above.
    const [bitmap] = JSON.parse(await qemuImg('info', '--output=json', base))['format-specific'].data.bitmaps;
    await qemuImg('bitmap', '--add', top, bitmap.name);
    await qemuIo(['-f', 'qcow2', top], 'write 512k 64k');
    const both = Float64Array.of(128 << 10, 64 << 10, 512 << 10, 64 << 10);
    const ask = async (options: { format?: 'qcow2' } = {}): Promise<Float64Array> => {
      await using disk = await openDisk(top, options);
      return await (await disk.changes({ from: pit })).ranges();
    };
    expect(await ask({ format: 'qcow2' })).toEqual(both);
    expect(await refusalOf(ask())).toMatchObject(NOT_FOLLOWED);
    const image = await readFile(base);
    await writeFile(base, 'neither raw nor qcow2');
    expect(await refusalOf(ask({ format: 'qcow2' }))).toMatchObject({ code: 'ERR_CBT_TRACKING_LOST' });
    // Void bitmaps: the autoclear bit that says they are valid is not set.
    const cleared = Buffer.from(image);
    cleared.fill(0, 88, 96);
    await writeFile(base, cleared);
    expect(await refusalOf(ask({ format: 'qcow2' }))).toMatchObject({ reason: 'MISSING' });
    await writeFile(base, image);
    expect(await ask({ format: 'qcow2' })).toEqual(both);
  });

  test('without points of its own is never called untracked: those below are not looked at', async () => {
    await new ImageTracking([base]).enable();
    await using guessed = await openDisk(top);
    expect(await refusalOf(guessed.pits())).toMatchObject(NOT_FOLLOWED);
    await using told = await openDisk(top, { format: 'qcow2' });
    expect((await told.pits()).state).toBe('overlay');
  });

  test('that does not say the format below ends where the bytes below lead outside, unless trusted', async () => {
    await writeFile(at('secret'), 'S'.repeat(MIB));
    await qemuImg('create', '-q', '-f', 'qcow2', '-u', '-b', at('secret'), '-F', 'raw', at('evil'), '1M');
    await writeFile(top, buildQcow2({ size: MIB, backing: { name: at('evil') } }).bytes);
    expect(await refusalOf(openData({ kind: 'qemu-nbd', file: top, format: 'qcow2' }))).toMatchObject(
      NOT_FOLLOWED,
    );
    await using data = await openData({ kind: 'qemu-nbd', file: top, format: 'qcow2', trust: true });
    expect((await data.read(0, 4)).toString()).toBe('SSSS');
  });
});

describe('a data file', () => {
  const create = (name: string, data: string): Promise<string> =>
    qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${data},data_file_raw=on`, at(name), '1M');

  test('is opened only where the format is said, and only whole', async () => {
    await create('d', at('data'));
    await qemuIo(['-f', 'qcow2', at('d')], 'write -P 5 0 1M');
    expect(await refusalOf(new ImageTracking([at('d')]).enable())).toMatchObject(NOT_FOLLOWED);
    expect(await refusalOf(openData({ kind: 'qemu-nbd', file: at('d') }))).toMatchObject(NOT_FOLLOWED);
    const told = { kind: 'qemu-nbd', file: at('d'), format: 'qcow2' } as const;
    {
      await using data = await openData(told);
      expect((await data.read(MIB - 4, 4)).equals(Buffer.alloc(4, 5))).toBe(true);
    }
    expect((await new ImageTracking([at('d')], { format: 'qcow2' }).enable()).disks).toMatchObject([
      { changeId: expect.any(String) },
    ]);
    await truncate(at('data'), 65_536);
    expect(await refusalOf(openData(told))).toMatchObject({
      code: 'ERR_CBT_CORRUPT_IMAGE',
      details: { field: 'size of the raw data file', value: 65_536, limit: `at least ${MIB}` },
    });
  });

  test('that is no file, or that QEMU would look for in its own folder, is refused', async () => {
    await create('d', at('data'));
    const header = await readFile(at('d'));
    const place = header.indexOf(at('data'));
    for (const [name, code] of [
      ['data', 'ERR_CBT_UNSUPPORTED'],
      ['nbd:unix:/s', 'ERR_CBT_UNSUPPORTED'],
      ['json:{"driver":"null-co"}', 'ERR_CBT_UNSUPPORTED'],
      ['/dev/zero', 'ERR_CBT_INVALID_ARGUMENT'],
      [folder.path, 'ERR_CBT_INVALID_ARGUMENT'],
    ] as const) {
      const changed = Buffer.from(header);
      changed.fill(0, place, place + 64);
      changed.write(name, place);
      changed.writeUInt32BE(Buffer.byteLength(name), place - 4);
      await writeFile(at('x'), changed);
      const told = { kind: 'qemu-nbd', file: at('x'), format: 'qcow2' } as const;
      expect(await refusalOf(openData(told))).toMatchObject({ code, disk: at('x') });
    }
  });
});

test('a disk behind a network is connected to by nobody, whatever is said or trusted', async () => {
  let connections = 0;
  const server = net.createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(at('server'), resolve));
  try {
    const { size } = await stat(at('server'));
    expect(size).toBe(0);
    const names = [
      `nbd+unix:///x?socket=${at('server')}`,
      `nbd:unix:${at('server')}`,
      `json:{"driver":"raw","file":{"driver":"nbd","server":{"type":"unix","path":"${at('server')}"}}}`,
    ];
    for (const [index, name] of names.entries()) {
      const image = at(`net${index}`);
      await qemuImg('create', '-q', '-f', 'qcow2', '-u', '-b', name, '-F', 'raw', image, '1M');
      for (const said of [[], ['--format', 'qcow2'], ['--trust']])
        for (const command of [
          ['enable'],
          ['begin'],
          ['changes', '--from', '*'],
          ['backup', '--to', at('b')],
        ]) {
          const { code } = await cli(...command, image, ...said);
          expect([2, 4]).toContain(code);
        }
    }
    expect(connections).toBe(0);
  } finally {
    server.close();
  }
});
