/** A second place in which something is wrong already: what is there is no proof of what it holds, and nobody's files are taken away. */
import { randomUUID } from 'node:crypto';
import { cp, mkdir, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { copyFolder } from '../../../lib/backup/copying/copyFolder.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { type DiskRun, formatManifest, type Manifest } from '../../../lib/backup/manifest.js';
import { newMark, writeMark } from '../../../lib/backup/mark.js';
import { layerName, manifestName, sumsName } from '../../../lib/backup/names.js';
import { verify } from '../../../lib/backup/verify.js';
import { makeLayerFolder, readRuns } from '../../helpers/layerFolder.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const KIB64 = 65_536;
let folder: TemporaryFolder;
let contents: Map<number, Buffer>;
const at = (...names: string[]): string => join(folder.path, ...names);
const from = (): string => at('web');
const to = (): string => at('offsite');
const copy = () => copyFolder({ from: from(), to: to() });

const specs = [
  { sizeBytes: 4 * KIB64, cells: [1, 2, 3, 4] },
  { sizeBytes: 4 * KIB64, cells: [null, 5] },
  { sizeBytes: 4 * KIB64, cells: [6] },
];

beforeAll(async () => {
  folder = await makeTemporaryFolder({ inMemory: true });
  contents = await makeLayerFolder(at('made'), specs);
  const owner = { kind: 'images', uuid: null, name: null, since: '2026-01-01T00:00:00Z' } as const;
  await writeMark(at('made'), newMark([{ ...owner, id: randomUUID(), inherits: true }], new Date(0)));
});
afterAll(() => folder.remove());
beforeEach(async () => {
  for (const place of [from(), to()]) await rm(place, { recursive: true, force: true });
  await cp(at('made'), from(), { recursive: true });
});

async function flip(path: string, offset: number): Promise<void> {
  await using file = await open(path, 'r+');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, offset);
  await file.write(Buffer.from([buffer[0]! ^ 0xff]), 0, 1, offset);
}

const manifestOf = async (run: number): Promise<Manifest> =>
  (await BackupFolder.read(from())).runs.find((one) => one.run === run)!;

/** A second disk in a run of the first place: the first one's bytes under another name, a full layer. */
async function addDisk(run: number): Promise<DiskRun> {
  const manifest = await manifestOf(run);
  const [first] = (await manifestOf(1)).disks;
  const other: DiskRun = {
    ...first!,
    disk: 'other',
    key: 'other',
    file: layerName('other', run),
    sums: { ...first!.sums, file: sumsName('other', run) },
  };
  await cp(join(from(), first!.file), join(from(), other.file));
  await cp(join(from(), first!.sums.file), join(from(), other.sums.file));
  const text = formatManifest({ ...manifest, disks: [...manifest.disks, other] });
  await writeFile(join(from(), manifestName(run)), text);
  return other;
}

test('a rotten layer under a damaged manifest is not believed, and stays; moved away, it is made anew', async () => {
  await copy();
  const rotten = join(to(), 'disk-000001.qcow2');
  await flip(rotten, 6 * KIB64);
  await flip(join(to(), 'run-000001.json'), 40);
  const before = await readFile(rotten);
  const { copied, problems } = await copy();
  expect(copied).toEqual([]);
  expect(problems).toMatchObject([{ run: 1, error: { code: 'ERR_CBT_CORRUPT_IMAGE' } }]);
  expect(problems[0]!.error.message).toContain(`${rotten} is there already`);
  expect(problems[0]!.error.message).toContain('move it away');
  expect((await readFile(rotten)).equals(before)).toBe(true);
  // A copy that was ended said what it would make; this one is none of that.
  await addDisk(2);
  const stop = new AbortController();
  const onProgress = ({ disk }: { disk: string }): void => {
    if (disk === 'other') stop.abort();
  };
  const ended = copyFolder({ from: from(), to: to(), signal: stop.signal, onProgress });
  expect(await refusalOf(ended)).toMatchObject({ code: 'ERR_CBT_ABORTED' });
  expect(await copy()).toMatchObject({ copied: [{ run: 2, disks: ['other'] }], problems: [{ run: 1 }] });
  expect((await readFile(rotten)).equals(before)).toBe(true);
  await rm(rotten);
  expect((await copy()).problems).toEqual([]);
  expect((await verify({ from: to() })).problems).toEqual([]);
});

test('files of another history under a damaged manifest stay, whether or not a run stands on them', async () => {
  const others = specs.map((spec) => ({ ...spec, cells: spec.cells.map((cell) => cell && cell + 100) }));
  await makeLayerFolder(to(), others);
  await cp(join(from(), 'folder.json'), join(to(), 'folder.json'));
  await rm(join(from(), 'run-000003.json'));
  for (const run of [1, 2]) await flip(join(to(), manifestName(run)), 40);
  const names = (await readdir(to())).filter((name) => name !== 'run-000003.json');
  const files = () => Promise.all(names.map((name) => readFile(join(to(), name), 'latin1')));
  const before = (await files()).join();
  // Run 3 of the second place stands on a run 2 that is none of here.
  expect((await refusalOf(copy())).message).toContain('is no copy of');
  expect((await files()).join() === before).toBe(true);
  await rm(join(to(), 'run-000003.json'));
  const { copied, problems } = await copy();
  expect(copied).toEqual([]);
  expect(problems.map(({ run }) => run)).toEqual([1, 2]);
  expect((await files()).join() === before).toBe(true);
});

test('a disk that was left out of a run is told until it is there, though later runs are', async () => {
  const { file } = await addDisk(2);
  const good = await readFile(join(from(), file));
  await flip(join(from(), file), 6 * KIB64);
  for (let night = 0; night < 2; night += 1)
    expect((await copy()).problems).toMatchObject([{ run: 2, disk: 'other', file }]);
  await writeFile(join(from(), file), good);
  expect(await copy()).toMatchObject({ copied: [{ run: 2, disks: ['other'] }], problems: [] });
  expect(await copy()).toMatchObject({ copied: [], problems: [] });
  expect((await verify({ from: to() })).problems).toEqual([]);
});

test('what is missing below a run there is made whole, and nothing is put on what cannot be read', async () => {
  const later = await readFile(join(from(), 'run-000003.json'));
  await rm(join(from(), 'run-000003.json'));
  await copy();
  for (const name of ['run-000001.json', 'disk-000001.qcow2', 'disk-000001.sums']) await rm(join(to(), name));
  await writeFile(join(from(), 'run-000003.json'), later);
  expect(await copy()).toMatchObject({ copied: [{ run: 1 }, { run: 3 }], problems: [] });
  // Listed, and its file is gone.
  await rm(join(to(), 'disk-000002.qcow2'));
  expect(await copy()).toMatchObject({ copied: [{ run: 2 }], problems: [] });
  for (const [run, content] of await readRuns(to()))
    expect(contents.get(run)!.equals(content as Buffer)).toBe(true);
  // It has another length there.
  await rm(join(to(), 'run-000003.json'));
  await rm(join(to(), 'disk-000003.qcow2'));
  await rm(join(to(), 'disk-000003.sums'));
  await writeFile(join(to(), 'disk-000001.qcow2'), 'cut');
  const { copied, problems } = await copy();
  expect(copied).toEqual([]);
  expect(problems).toMatchObject([{ run: 3, error: { code: 'ERR_CBT_CORRUPT_IMAGE' } }]);
  expect(problems[0]!.error.message).toContain(`cannot be read in ${to()}`);
});

test('a base of another history there is no base', async () => {
  const manifest = await manifestOf(3);
  const [disk] = manifest.disks;
  await copy();
  for (const name of ['run-000003.json', 'disk-000003.qcow2', 'disk-000003.sums']) await rm(join(to(), name));
  const epoch = randomUUID();
  await writeFile(
    join(from(), 'run-000003.json'),
    formatManifest({ ...manifest, disks: [{ ...disk!, epoch }] }),
  );
  const { problems } = await copy();
  expect(problems).toMatchObject([{ run: 3, error: { code: 'ERR_CBT_CORRUPT_IMAGE' } }]);
  expect((await BackupFolder.read(to())).runs.map(({ run }) => run)).toEqual([1, 2]);
});

test('what a killed copy left of its first small file is nothing', async () => {
  await mkdir(to());
  await writeFile(join(to(), `folder.json.${randomUUID()}.part`), '{');
  expect((await copy()).runs).toEqual([1, 2, 3]);
  await copy();
  expect((await readdir(to())).filter((name) => name.includes('part'))).toEqual([]);
});

test('one place is not inside the other', async () => {
  await symlink(from(), at('link'));
  for (const inside of [join(from(), 'copy'), join(at('link'), 'a', 'b'), folder.path])
    expect((await refusalOf(copyFolder({ from: from(), to: inside }))).message).toContain('nor around it');
  expect(await readdir(from())).not.toContain('copy');
});
