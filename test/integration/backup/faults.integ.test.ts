/** What goes wrong around a backup: a full target, one that vanishes, damage of every kind, two runs at once, odd crashes. */
import { execFile } from 'node:child_process';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import type { BackupOptions } from '../../../lib/backup/backupOptions.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { formatManifest, parseManifest } from '../../../lib/backup/manifest.js';
import { prune } from '../../../lib/backup/prune.js';
import { restore } from '../../../lib/backup/restore.js';
import type { BackupSource } from '../../../lib/backup/source.js';
import { verify } from '../../../lib/backup/verify.js';
import { verifyAgainst } from '../../../lib/backup/verifyAgainst.js';
import { CbtError } from '../../../lib/core/errors.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { openDisk } from '../../../lib/host/open.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';

const run = promisify(execFile);
let folder: TemporaryFolder;
let image: string;
let to: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  image = join(folder.path, 'disk.qcow2');
  to = join(folder.path, 'backups');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '8M');
  await write('write -P 1 0 1M', 'write -P 2 4M 256k');
});
afterEach(() => folder.remove());

const write = (...commands: string[]) => qemuIo(['-f', 'qcow2', image], ...commands);
const take = (options: Partial<BackupOptions> = {}, source = imagesSource([image])) =>
  backup(source, { to, ...options });
const only = async (...args: Parameters<typeof take>) => {
  const [disk] = (await take(...args)).disks;
  if (disk === undefined || 'error' in disk) throw disk?.error ?? new Error('no disk');
  return disk;
};
const points = async (): Promise<string[]> => {
  await using disk = await openDisk(image);
  return (await disk.pits()).pits.map(({ pit }) => pit);
};
const names = async (): Promise<string[]> => (await readdir(to)).sort();
async function content(file: string): Promise<Buffer> {
  const raw = join(folder.path, 'content.raw');
  await qemuImg('convert', '-O', 'raw', file, raw);
  return readFile(raw);
}
async function flip(file: string, offset: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, offset);
    byte[0] = (byte[0] ?? 0) ^ 0x40;
    await handle.write(byte, 0, 1, offset);
  } finally {
    await handle.close();
  }
}
/** A source whose session is touched at its check, after everything was read. */
function withCheck(check: () => Promise<void>): BackupSource {
  const source = imagesSource([image]);
  return {
    ...source,
    begin: async (...args) => {
      const session = await source.begin(...args);
      return {
        ...session,
        check: async () => {
          const wrong = await session.check();
          await check();
          return wrong;
        },
      };
    },
  };
}

describe('a target that fails', () => {
  test('full: a coded error, no point in time, no file, and the runs before stay whole', async () => {
    await mkdir(to);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', to]);
    try {
      await only();
      const before = { files: await names(), points: await points() };
      await write('write -P 7 1M 6M');
      const error = await refusalOf(only());
      expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE' });
      expect(error.message).toMatch(/space/i);
      expect(await points()).toEqual(before.points);
      expect(await names()).toEqual(before.files);
      expect((await verify({ from: to })).problems).toEqual([]);
    } finally {
      await run('umount', [to]);
    }
  });

  test('vanished while the run was copying: a coded error, and no point in time is kept', async () => {
    await only();
    await write('write -P 8 2M 64k');
    const before = await points();
    const gone = join(folder.path, 'elsewhere');
    const error = await refusalOf(
      only(
        {},
        withCheck(() => rename(to, gone)),
      ),
    );
    expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
    expect(await points()).toEqual(before);
    await rename(gone, to);
    expect(await only()).toMatchObject({ verdict: 'incremental', base: { run: 1 }, changedBytes: 65_536 });
    expect((await verify({ from: to })).problems).toEqual([]);
  });
});

describe('two runs', () => {
  test('into one folder at once: the second is refused with BUSY and does nothing', async () => {
    let second: CbtError | undefined;
    const first = take(
      {
        onDisk: () => undefined,
      },
      withCheck(async () => {
        second = await refusalOf(take());
      }),
    );
    expect((await first).run).toBe(1);
    expect(second).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
    expect(second?.message).toContain(String(process.pid));
    expect((await take()).run).toBe(2);
  });
});

describe('a point in time and its run', () => {
  test('a run whose point was rolled back afterwards is passed over: the next builds below it, without a gap', async () => {
    await only();
    await write('write -P 3 1M 64k');
    const second = await take();
    // As a crash between the manifest and the commit leaves it, once the dead session was rolled back.
    await new ImageTracking([image]).rollback(second.pit ?? '');
    await write('write -P 4 2M 64k');
    const third = await only();
    expect(third).toMatchObject({ verdict: 'incremental', base: { run: 1 }, changedBytes: 131_072 });
    expect(third.message).toContain('run 1');
    expect((await content(join(to, third.file))).equals(await content(image))).toBe(true);
    expect((await verify({ from: to })).problems).toEqual([]);
    // Two runs build on the first, so it stays when it should be pruned.
    const { layers } = await prune({ from: to, rules: { last: 2 } });
    expect(layers).toMatchObject([{ run: 1, action: 'kept' }]);
    expect((await verify({ from: to })).problems).toEqual([]);
  });

  test('an image written to while it was read is not a backup', async () => {
    await only();
    const before = await points();
    const source = imagesSource([image]);
    const { run: number, disks } = await take(
      {},
      {
        ...source,
        begin: async (...args) => {
          const session = await source.begin(...args);
          await write('write -P 5 0 64k');
          return session;
        },
      },
    );
    expect(number).toBeNull();
    expect(disks).toMatchObject([{ disk: image, error: { reason: 'BUSY' } }]);
    expect(await points()).toEqual(before);
    expect((await BackupFolder.read(to)).runs.length).toBe(1);
  });

  test('a raw image is copied in full every time, and the reason is said', async () => {
    const raw = join(folder.path, 'disk.raw');
    await qemuImg('convert', '-O', 'raw', image, raw);
    for (const n of [1, 2]) {
      const disk = await only({}, imagesSource([raw], { format: 'raw' }));
      expect(disk, String(n)).toMatchObject({ verdict: 'full', reason: 'FORMAT', epoch: null });
    }
    const restored = join(folder.path, 'restored.raw');
    await restore({ from: to, to: restored });
    expect((await readFile(restored)).equals(await readFile(raw))).toBe(true);
  });

  test('one bad disk does not spoil the other', async () => {
    const bad = join(folder.path, 'bad.qcow2');
    await writeFile(bad, 'QFI\xfb and nothing of use');
    const { run: number, disks } = await take({}, imagesSource([bad, image], { format: 'qcow2' }));
    expect(number).toBe(1);
    expect(disks).toMatchObject([
      { disk: image, verdict: 'full' },
      { disk: bad, error: expect.any(CbtError) },
    ]);
  });
});

describe('damage', () => {
  test('every field of a manifest: the run is refused by name, backups go on, a changed byte of any stored kind is found', async () => {
    await only();
    await write('write -P 3 1M 64k', 'write -z 4M 64k');
    await only();
    const file = join(to, 'run-000002.json');
    const good = await readFile(file, 'utf8');
    const damage = damagedTexts(JSON.parse(good) as Record<string, unknown>);
    expect(damage.length).toBeGreaterThan(60);
    for (const { at, text } of damage) {
      expect(() => parseManifest(text, 'run-000002.json', 2), at).toThrow(CbtError);
    }
    for (const text of ['', '{}', 'null', '[]', good.slice(0, good.length / 2), damage[5]!.text]) {
      await writeFile(file, text);
      const { problems } = await verify({ from: to, depth: 'manifest' });
      expect(problems).toMatchObject([{ run: 2, file: 'run-000002.json' }]);
      expect(await refusalOf(restore({ from: to, to: join(folder.path, 'r') }))).toMatchObject({
        code: 'ERR_CBT_CORRUPT_IMAGE',
      });
      await restore({ from: to, at: { run: 1 }, to: join(folder.path, 'r'), force: true });
      expect(await refusalOf(prune({ from: to, rules: { last: 1 } }))).toMatchObject({
        code: 'ERR_CBT_CORRUPT_IMAGE',
      });
    }
    const next = await take();
    expect(next.warnings.join()).toContain('run-000002.json is damaged');
    expect(next.run).toBe(3);
    expect(next.disks).toMatchObject([{ verdict: 'incremental', base: { run: 1 } }]);
    await writeFile(file, good);
    expect((await verify({ from: to })).problems).toEqual([]);
  });

  test('of sums, data, headers and chains is found by verify and never restored', async () => {
    await only();
    await write('write -P 3 1M 64k', 'write -z 0 64k');
    await only();
    const layer = join(to, 'disk-000002.qcow2');
    const sums = join(to, 'disk-000002.sums');
    const target = join(folder.path, 'r');
    const cases: [string, () => Promise<unknown>][] = [
      ['sums', async () => flip(sums, (await stat(sums)).size - 10)],
      ['data', async () => flip(layer, (await dataOffset(layer)) + 100)],
      ['header', () => qemuImg('rebase', '-u', '-f', 'qcow2', '-b', '/etc/hostname', '-F', 'raw', layer)],
      ['size', () => qemuImg('resize', '-q', '-f', 'qcow2', layer, '16M')],
      ['gone', () => rm(layer)],
      ['base gone', () => rm(join(to, 'run-000001.json'))],
    ];
    for (const [what, damage] of cases) {
      const copy = join(folder.path, 'copy');
      await run('cp', ['-a', to, copy]);
      await damage();
      const { problems } = await verify({ from: to });
      expect(problems.length, what).toBeGreaterThan(0);
      const error = await refusalOf(restore({ from: to, at: { run: 2 }, to: target }));
      expect(['ERR_CBT_CORRUPT_IMAGE', 'ERR_CBT_BACKEND_UNAVAILABLE'], what).toContain(error.code);
      await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
      await rm(to, { recursive: true });
      await rename(copy, to);
    }
    // A zero that lost its mark lets the layer below shine through, and one byte too many hides it: only verify sees both.
    await qemuIo(['-f', 'qcow2', layer], 'write -P 9 6M 64k');
    expect((await verify({ from: to })).problems).toMatchObject([
      { error: { message: expect.stringContaining('its manifest says') } },
    ]);
    const manifest = join(to, 'run-000002.json');
    const told = parseManifest(await readFile(manifest, 'utf8'), 'run-000002.json', 2);
    const fileBytes = (await stat(layer)).size;
    const disks = told.disks.map((disk) => ({ ...disk, fileBytes }));
    await writeFile(manifest, formatManifest({ ...told, disks }));
    expect((await verify({ from: to })).problems).toMatchObject([
      { error: { message: expect.stringContaining('never written') } },
    ]);
  });

  test('a map that misses a change is found against the disk', async () => {
    await only();
    await write('write -P 3 1M 64k');
    expect(await verifyAgainst(imagesSource([image]), { from: to })).toMatchObject([
      { run: 1, mappedBytes: 65_536, comparedBytes: (8 << 20) - 65_536, differences: [] },
    ]);
    // Looking takes no point in time.
    expect(await points()).toHaveLength(1);
    // A write past QEMU's back, which no bitmap sees.
    await flip(image, (await dataOffset(image)) + 5000);
    const [verdict] = await verifyAgainst(imagesSource([image]), { from: to });
    expect(verdict?.error).toMatchObject({ code: 'ERR_CBT_MAP_MISMATCH' });
  });
});

/** Where an image holds its first guest cluster that is data. */
async function dataOffset(file: string): Promise<number> {
  const map = JSON.parse(await qemuImg('map', '--output=json', '-f', 'qcow2', file)) as {
    data: boolean;
    depth: number;
    offset?: number;
  }[];
  return map.find(({ data, depth, offset }) => data && depth === 0 && offset !== undefined)!.offset!;
}

/** The manifest with each member changed to other plausible values, removed, and one added everywhere. */
function damagedTexts(good: Record<string, unknown>): { at: string; text: string }[] {
  const found: { at: string; text: string }[] = [];
  const visit = (node: object, path: string, rebuild: (changed: unknown) => unknown): void => {
    const add = (at: string, changed: unknown): void => {
      found.push({ at: `${path}.${at}`, text: JSON.stringify(rebuild(changed)) });
    };
    const entries = Object.entries(node);
    const withValue = (key: string, other: unknown): unknown =>
      Array.isArray(node)
        ? node.map((kept, i) => (String(i) === key ? other : kept))
        : Object.fromEntries(entries.map(([name, kept]) => [name, name === key ? other : kept]));
    for (const [key, value] of entries) {
      if (typeof value === 'object' && value !== null)
        visit(value, `${path}.${key}`, (changed) => rebuild(withValue(key, changed)));
      for (const other of othersOf(value).filter((it) => JSON.stringify(it) !== JSON.stringify(value)))
        add(`${key}=${JSON.stringify(other)}`, withValue(key, other));
      if (Array.isArray(node)) add(`${key} removed`, node.toSpliced(Number(key), 1));
      else add(`${key} removed`, Object.fromEntries(entries.filter(([name]) => name !== key)));
    }
    add('extra', Array.isArray(node) ? [...node, 1] : { ...node, extra: 1 });
  };
  visit(good, '', (changed) => changed);
  return found;
}

function othersOf(value: unknown): unknown[] {
  if (typeof value === 'number') return [value + 512, -value - 1, value + 0.5, String(value), null];
  if (typeof value === 'string') {
    const last = value.at(-1) === '0' ? '1' : '0';
    return [`${value.slice(0, -1)}${last}`, '', `../${value}`, 7, null];
  }
  if (value === null) return ['x', 1];
  return [null, 'x', []];
}
