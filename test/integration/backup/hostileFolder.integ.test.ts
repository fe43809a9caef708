/**
 * A backup folder is somebody else's text: whoever can write to it can give a layer any header, or put anything else under
 * its name. No command may open such a layer with QEMU, which goes where a header says, let alone write to it.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, open, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { estimate } from '../../../lib/backup/estimate.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { prune } from '../../../lib/backup/prune.js';
import { restore } from '../../../lib/backup/restore.js';
import { verify } from '../../../lib/backup/verify.js';
import { verifyAgainst } from '../../../lib/backup/verifyAgainst.js';
import type { CbtError } from '../../../lib/core/errors.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';

const run = promisify(execFile);
const SIZE = '1M';
let folder: TemporaryFolder;
let image: string;
let to: string;
let victim: string;
let programs: string;
const environment = { ...process.env };
/** What QEMU's programs are started as; a wrapper writes down with what. */
const PROGRAMS = { QEMU_IMG: 'qemu-img', QEMU_NBD: 'qemu-nbd' };

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  image = join(folder.path, 'disk.qcow2');
  to = join(folder.path, 'backups');
  victim = join(folder.path, 'victim');
  programs = join(folder.path, 'programs');
  await qemuImg('create', '-q', '-f', 'qcow2', image, SIZE);
  for (const round of [1, 2, 3]) {
    await qemuIo(['-f', 'qcow2', image], `write -P ${round} ${round * 64}k 128k`);
    await backup(imagesSource([image]), { to });
  }
  await run('cp', ['-a', to, `${to}.whole`]);
  await run('cp', ['-a', image, `${image}.whole`]);
  for (const [variable, name] of Object.entries(PROGRAMS)) {
    const wrapper = join(folder.path, name);
    const real = environment[variable] ?? name;
    await writeFile(wrapper, `#!/bin/sh\nprintf '%s\\n' "$*" >>'${programs}'\nexec ${real} "$@"\n`);
    await chmod(wrapper, 0o755);
    process.env[variable] = wrapper;
  }
});
beforeEach(async () => {
  await run('rm', ['-rf', to, image, join(folder.path, 'copy')]);
  await run('cp', ['-a', `${to}.whole`, to]);
  await run('cp', ['-a', `${image}.whole`, image]);
  await writeFile(victim, Buffer.alloc(1 << 20, 'V'));
});
afterAll(async () => {
  for (const variable of Object.keys(PROGRAMS)) {
    if (environment[variable] === undefined) delete process.env[variable];
    else process.env[variable] = environment[variable];
  }
  await folder.remove();
});

const layer = (number: number): string => join(to, `disk-00000${number}.qcow2`);

/** Writes these bytes into a header. */
async function patch(file: string, offset: number, ...bytes: number[]): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(Buffer.from(bytes), 0, bytes.length, offset).finally(() => handle.close());
}

/** Puts a fresh image, made with these options, in a layer's place. */
async function replaceBy(file: string, ...options: string[]): Promise<void> {
  const other = join(folder.path, 'other.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', ...options, other, SIZE);
  await rename(other, file);
}

const backingOf = (file: string): string =>
  file === layer(1) ? '' : file.replace(/\d(?=\.qcow2)/, (n) => `${Number(n) - 1}`);

const kinds: [string, (file: string) => Promise<unknown>][] = [
  ['an external data file', (file) => replaceBy(file, '-o', `data_file=${victim},data_file_raw=on`)],
  ['another backing file', (file) => qemuImg('rebase', '-u', '-f', 'qcow2', '-b', victim, '-F', 'raw', file)],
  [
    'a backing file of the right name in another format',
    (file) =>
      qemuImg(
        'rebase',
        '-u',
        '-f',
        'qcow2',
        '-b',
        (backingOf(file) || victim).split('/').at(-1) ?? '',
        '-F',
        'raw',
        file,
      ),
  ],
  [
    'a backing file by json:',
    (file) =>
      qemuImg(
        'rebase',
        '-u',
        '-f',
        'qcow2',
        '-b',
        `json:{"driver":"raw","file":{"driver":"file","filename":"${victim}"}}`,
        '-F',
        'raw',
        file,
      ),
  ],
  ['encryption', (file) => patch(file, 32, 0, 0, 0, 1)],
  ['a mark of QEMU that it is corrupt', (file) => patch(file, 79, 2)],
  ['stale reference counts', (file) => patch(file, 79, 1)],
  ['a feature of later times', (file) => patch(file, 78, 0x80)],
  ['compression by zstd', (file) => patch(file, 79, 8)],
  ['version 2', (file) => patch(file, 7, 2)],
  ['clusters of another size', (file) => replaceBy(file, '-o', 'cluster_size=4096')],
  ['another size', (file) => patch(file, 28, 0, 0x20, 0, 0)],
  [
    'a symbolic link',
    async (file) => {
      await rm(file);
      await symlink(victim, file);
    },
  ],
  [
    'a symbolic link to the very layer',
    async (file) => {
      await rename(file, `${file}.real`);
      await symlink(`${file}.real`, file);
    },
  ],
  [
    'a FIFO',
    async (file) => {
      await rm(file);
      await run('mkfifo', [file]);
    },
  ],
  [
    'a device',
    async (file) => {
      await rm(file);
      await run('mknod', [file, 'c', '1', '3']);
    },
  ],
  [
    'a folder',
    async (file) => {
      await rm(file);
      await run('mkdir', [file]);
    },
  ],
  ['nothing', (file) => rm(file)],
  ['an empty file', (file) => writeFile(file, '')],
];

describe.each([1, 2])('the layer of run %i', (number) => {
  test.each(kinds)('that is %s is refused by every command, and QEMU never sees it', async (_, make) => {
    await make(layer(number));
    await writeFile(programs, '');
    const sums = async (): Promise<string> =>
      createHash('sha256')
        .update(await readFile(victim))
        .digest('hex');
    const before = await sums();
    const target = join(folder.path, 'restored.raw');

    for (const depth of ['manifest', 'data'] as const) {
      const { problems } = await verify({ from: to, depth });
      expect(problems.map(({ file }) => file)).toContain(`disk-00000${number}.qcow2`);
      for (const { error } of problems) expect(error.code).toBe('ERR_CBT_CORRUPT_IMAGE');
    }
    const refused = async (work: Promise<unknown>): Promise<CbtError> => {
      const error = await refusalOf(work);
      expect(error).toMatchObject({ code: 'ERR_CBT_CORRUPT_IMAGE' });
      return error;
    };
    await refused(restore({ from: to, at: { run: 3 }, to: target }));
    await refused(prune({ from: to, rules: { last: 1 } }));
    const next = number === 1 ? null : { run: number - 1 };
    expect(await estimate(imagesSource([image]), { to })).toMatchObject([{ base: next }]);
    const [verdict] = await verifyAgainst(imagesSource([image]), { from: to });
    if (next === null) expect(verdict?.error).toBeDefined();
    else expect(verdict).toMatchObject(next);
    const taken = await backup(imagesSource([image]), { to });
    expect(taken.disks).toMatchObject([{ verdict: next === null ? 'full' : 'incremental', base: next }]);

    expect(await sums()).toBe(before);
    const told = (await readFile(programs, 'utf8'))
      .split('\n')
      .filter((line) => line.includes(`disk-00000${number}.qcow2`));
    expect(told).toEqual([]);
  });
});

test.each(['run-000002.json', 'disk-000002.sums'])(
  '%s that is a link or a FIFO is damage, and nothing waits for it',
  async (name) => {
    const file = join(to, name);
    const elsewhere = join(folder.path, 'elsewhere');
    await rename(file, elsewhere);
    for (const make of [() => symlink(elsewhere, file), () => run('mkfifo', [file])]) {
      await make();
      expect((await verify({ from: to })).problems.length).toBeGreaterThan(0);
      expect(
        await refusalOf(restore({ from: to, at: { run: 3 }, to: join(folder.path, 'r') })),
      ).toMatchObject({
        code: 'ERR_CBT_CORRUPT_IMAGE',
      });
      await rm(file);
    }
  },
);

test('a copy of the folder made of hard links stays whole when the other one is pruned', async () => {
  const copy = join(folder.path, 'copy');
  await run('cp', ['-al', to, copy]);
  const { layers } = await prune({ from: to, rules: { last: 1 } });
  expect(layers.map(({ action }) => action)).toEqual(['merged', 'merged']);
  for (const from of [to, copy]) expect((await verify({ from })).problems).toEqual([]);
  expect((await verify({ from: copy })).runs).toBe(3);
});
