/** The main job from the command line, on real images: take points in time, write, ask, roll back, forget, reset. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cli } from '../../helpers/cli.js';
import {
  makeTemporaryFolder,
  qemuImg,
  type TemporaryFolder,
  writeRecorded,
} from '../../helpers/qemuTools.js';

const KiB64 = 65_536;
let folder: TemporaryFolder;
let disk: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  disk = join(folder.path, 'disk.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', disk, '64M');
});
afterEach(() => folder.remove());

async function json(...argv: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await cli(...argv, '--json');
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

async function takePit(): Promise<string> {
  const { session, pit } = await json('begin', disk);
  expect(session).toBe(pit);
  await json('commit', disk, '--session', String(session));
  return String(pit);
}

async function areas(from: string, to?: string): Promise<[number, number][]> {
  const answer = await json('changes', disk, '--from', from, ...(to === undefined ? [] : ['--to', to]));
  return (answer['areas'] as { start: number; length: number }[]).map(({ start, length }) => [start, length]);
}

const granule = (n: number): [number, number] => [n * KiB64, KiB64];
const write = (...granules: number[]): Promise<void> =>
  writeRecorded(
    disk,
    granules.map((n) => [n * KiB64 + 512, 512] as const),
  );

describe('a chain of points in time on an image at rest', () => {
  test('answers every pair of points with exactly what was written in between', async () => {
    const { pit, disks } = await json('enable', disk);
    const a = String(pit);
    expect(disks).toEqual([
      {
        disk,
        epoch: expect.any(String),
        changeId: expect.stringMatching(/^([0-9a-f]{2}[ -]){15}[0-9a-f]{2}\/\d{10,16}$/),
      },
    ]);
    await write(1);
    const b = await takePit();
    await write(3, 5);
    const c = await takePit();
    await write(3);
    expect(await areas(a, b)).toEqual([granule(1)]);
    expect(await areas(b, c)).toEqual([granule(3), granule(5)]);
    expect(await areas(a, c)).toEqual([granule(1), granule(3), granule(5)]);
    expect(await areas(c)).toEqual([granule(3)]);
    expect(await areas(a)).toEqual([granule(1), granule(3), granule(5)]);
    expect(await areas(a, a)).toEqual([]);
    // The other spellings of the same points.
    const { pits } = (await json('pits', disk)) as unknown as { pits: { pit: string; changeId: string }[] };
    expect(pits.map((p) => p.pit)).toEqual([a, b, c]);
    expect(await areas(`{${b.toUpperCase()}}`, pits[2]!.changeId)).toEqual([granule(3), granule(5)]);
  });

  test('a rolled-back session loses nothing: its writes are in the next increment', async () => {
    const a = String((await json('enable', disk))['pit']);
    await write(1);
    const { session, disks } = await json('begin', disk);
    expect(disks).toMatchObject([{ verdict: 'incremental', base: a }]);
    await write(8);
    await json('rollback', disk, '--session', String(session));
    await write(4);
    expect(await areas(a)).toEqual([granule(1), granule(4), granule(8)]);
    const { code, stdout, stderr } = await cli('changes', disk, '--from', String(session));
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('ERR_CBT_UNKNOWN_PIT');
    // The changeId of the rolled-back point never comes to mean a later one.
    const { changeId: old } = (disks as unknown as { changeId: string }[])[0]!;
    const next = await takePit();
    await write(6);
    expect((await cli('changes', disk, '--from', old)).code).toBe(3);
    expect(await areas(next)).toEqual([granule(6)]);
  });

  test('forgetting a point changes no answer between the others', async () => {
    const a = String((await json('enable', disk))['pit']);
    await write(1);
    const b = await takePit();
    await write(5);
    const c = await takePit();
    await write(3);
    await json('forget', disk, '--point', b);
    expect(await areas(a, c)).toEqual([granule(1), granule(5)]);
    expect(await areas(c)).toEqual([granule(3)]);
    expect((await cli('changes', disk, '--from', b)).code).toBe(3);
    await json('forget', disk, '--point', a);
    expect(await areas(c)).toEqual([granule(3)]);
    expect((await cli('forget', disk, '--point', c)).code).toBe(2);
  });

  test('growth counts as changed, a shrink clips, and a shrink that was undone is refused', async () => {
    const a = String((await json('enable', disk))['pit']);
    await qemuImg('resize', '-q', disk, '65M');
    expect(await areas(a)).toEqual([[64 << 20, 1 << 20]]);
    const b = await takePit();
    await write(1);
    await qemuImg('resize', '-q', '--shrink', disk, '32M');
    expect(await areas(b)).toEqual([granule(1)]);
    const c = await takePit();
    await qemuImg('resize', '-q', disk, '65M');
    const { code, stderr } = await cli('changes', disk, '--from', b);
    expect(code).toBe(3);
    expect(stderr).toContain('[SIZE]');
    expect(await areas(c)).toEqual([[32 << 20, 33 << 20]]);
    // The point that witnesses the shrink cannot be dropped.
    expect((await cli('forget', disk, '--point', c)).code).toBe(3);
  });

  test('begin heals a lost chain: full, with the reason, in a new epoch', async () => {
    const a = String((await json('enable', disk))['pit']);
    const b = await takePit();
    const { pits } = (await json('pits', disk)) as unknown as { pits: { changeId: string }[] };
    const { bitmaps } = JSON.parse(await qemuImg('info', '--output=json', disk))['format-specific'].data;
    const first = (bitmaps as { name: string }[]).find(({ name }) => name.endsWith(a))!;
    await qemuImg(
      'bitmap',
      '--disable',
      disk,
      (bitmaps as { name: string }[]).find(({ name }) => name.endsWith(b))!.name,
    );
    expect((await cli('changes', disk, '--from', a)).code).toBe(3);
    const begun = await json('begin', disk);
    expect(begun['disks']).toMatchObject([{ verdict: 'full', reason: 'NOT_RECORDING' }]);
    const { stderr, code } = await cli('changes', disk, '--from', pits[0]!.changeId);
    expect(code).toBe(3);
    expect(stderr).toContain('[OTHER_EPOCH]');
    expect(await qemuImg('info', disk)).not.toContain(first.name);
    expect(await areas(String(begun['pit']))).toEqual([]);
  });

  test('bitmaps of others are never touched', async () => {
    await qemuImg('bitmap', '--add', disk, 'theirs');
    await qemuImg('bitmap', '--add', disk, '{11111111-2222-3333-4444-555555555555}');
    await json('enable', disk);
    await write(7);
    await takePit();
    await json('reset', disk);
    expect(await areas('theirs').catch(() => null)).toBeNull();
    const { code, stdout, stderr } = await cli('changes', disk, '--from', 'theirs', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout).areas).toEqual([{ start: 7 * KiB64, length: KiB64 }]);
    expect(stderr).toContain('warning');
    // A name that spells a UUID is a point in time, in any spelling of it.
    const byUuid = await cli('changes', disk, '--from', '11111111222233334444555555555555', '--jsonl');
    expect(byUuid.stdout).toBe('{"start":458752,"length":65536}\n');
    const { pits } = (await json('pits', disk)) as unknown as { pits: { pit: string }[] };
    // Theirs records on: what changed since the later point counts too, and that is said.
    const between = await cli('changes', disk, '--from', 'theirs', '--to', pits[0]!.pit, '--jsonl');
    expect(between.stdout).toBe('{"start":458752,"length":65536}\n');
    expect(between.stderr).toContain('counts as changed too');
    const { stdout: ended } = await cli('disable', disk);
    expect(ended).toBe(`${disk}: not tracked any more\n`);
    expect(await json('pits', disk)).toMatchObject({ state: 'untracked', pits: [], foreign: [{}, {}] });
  });
});

describe('several images', () => {
  test('share one point in time; one that refuses stops them all, and says so for each', async () => {
    const other = join(folder.path, 'other.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', other, '32M');
    const { pit, disks } = await json('enable', disk, other);
    expect((disks as unknown as { disk: string }[]).map((d) => d.disk)).toEqual([disk, other]);
    const lists = await Promise.all([disk, other].map((path) => json('pits', path)));
    expect(lists.map((l) => (l['pits'] as { pit: string }[])[0]!.pit)).toEqual([pit, pit]);

    const third = join(folder.path, 'third.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', third, '32M');
    const { code, stdout } = await cli('enable', third, disk, '--json');
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      pit: null,
      disks: [
        { disk: third, error: { code: 'ERR_CBT_NOT_DONE' } },
        { disk, error: { code: 'ERR_CBT_INVALID_ARGUMENT' } },
      ],
    });
    expect((await json('pits', third))['state']).toBe('untracked');
  });

  test('formats that hold no bitmaps are refused before anything is opened for writing', async () => {
    const raw = join(folder.path, 'disk.raw');
    const old = join(folder.path, 'old.qcow2');
    await qemuImg('create', '-q', '-f', 'raw', raw, '1M');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'compat=0.10', old, '1M');
    const hash = async (path: string): Promise<string> =>
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
    const before = await Promise.all([raw, old].map(hash));
    for (const path of [raw, old]) {
      const { code, stdout, stderr } = await cli('enable', path);
      // No full backup helps a format: the image has to be another one.
      expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
      expect(stderr).toContain('[FORMAT]');
    }
    expect(await Promise.all([raw, old].map(hash))).toEqual(before);
  });
});
