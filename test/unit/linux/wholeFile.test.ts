/** Files that appear whole, and never in the place of somebody else's. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { finishedName, type WholeFileOptions, writeWholeFile } from '../../../lib/linux/wholeFile.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let file: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  file = join(folder.path, 'target');
});
afterEach(() => folder.remove());

const put = (text: string, options: WholeFileOptions = {}, path = file): Promise<void> =>
  writeWholeFile(path, (to) => to.writeFile(text), options);
/** Writes, and does something else before the end. */
const putWhile = (text: string, meanwhile: (unfinished: string) => Promise<unknown>): Promise<void> =>
  writeWholeFile(file, async (to, unfinished) => {
    await to.writeFile(text);
    await meanwhile(unfinished);
  });
const textOf = (path: string): Promise<string> => readFile(path, 'utf8');
const names = (): Promise<string[]> => readdir(folder.path).then((all) => all.sort());

/** As a writer of ours does, without our build: an unfinished file, held. */
const UNFINISHED_WORK = `
  import { spawnSync } from 'node:child_process';
  import { openSync } from 'node:fs';
  const name = 'target.' + crypto.randomUUID() + '.part';
  const fd = openSync(process.argv[1] + name.slice('target'.length), 'wx+');
  spawnSync('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'inherit', 'inherit', fd] });
  console.log(name);
  setInterval(() => undefined, 1000);
`;

const BUSY = expect.objectContaining({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });

describe('a whole file', () => {
  test('appears under its name, which leads to nothing before', async () => {
    await putWhile('new', async () => expect(await lstat(file).catch(() => null)).toBeNull());
    expect(await textOf(file)).toBe('new');
    expect(await names()).toEqual(['target']);
  });

  test('has the mode that was asked for, less the umask', async () => {
    await put('new', { mode: 0o600 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('replaces an ordinary file, which is whole until then, and takes its owner and mode', async () => {
    await writeFile(file, 'old');
    await chmod(file, 0o2751);
    if (process.getuid?.() === 0) await chown(file, 12_345, 54_321);
    const before = await stat(file);
    await putWhile('new', async (unfinished) => {
      expect(await textOf(file)).toBe('old');
      expect((await stat(unfinished)).mode & 0o077).toBe(0);
    });
    const { uid, gid, mode } = await stat(file);
    expect([uid, gid, mode]).toEqual([before.uid, before.gid, before.mode]);
    expect(await textOf(file)).toBe('new');
    expect(await names()).toEqual(['target']);
  });

  test('leaves what stands there when nothing may be replaced', async () => {
    await writeFile(file, 'old');
    await expect(put('new', { existing: 'refuse' })).rejects.toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
      details: { errno: 'EEXIST' },
    });
    expect(await textOf(file)).toBe('old');
  });

  test('is not there after a failure, and the old one is', async () => {
    await writeFile(file, 'old');
    const failure = new Error('no more');
    await expect(putWhile('new', () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await textOf(file)).toBe('old');
    expect(await names()).toEqual(['target']);
  });

  test('may have the longest name that the file system takes', async () => {
    const longest = join(folder.path, 'ä'.repeat(127));
    await put('new', {}, longest);
    expect(await textOf(longest)).toBe('new');
  });

  test('breaks a hard link: the other name keeps what it had', async () => {
    await writeFile(file, 'old');
    await link(file, join(folder.path, 'other'));
    await put('new');
    expect(await textOf(file)).toBe('new');
    expect(await textOf(join(folder.path, 'other'))).toBe('old');
  });

  test('goes where a link leads, also into another folder; the link stays', async () => {
    const inner = join(folder.path, 'inner');
    await mkdir(inner);
    await writeFile(join(inner, 'real'), 'old');
    await symlink('inner/real', file);
    await put('new');
    expect((await lstat(file)).isSymbolicLink()).toBe(true);
    expect(await textOf(join(inner, 'real'))).toBe('new');
    expect(await readdir(inner)).toEqual(['real']);
  });

  test('goes to no link where the folder may be somebody else’s', async () => {
    await writeFile(join(folder.path, 'precious'), 'precious');
    await symlink('precious', file);
    await expect(put('new', { links: 'refuse' })).rejects.toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
    });
    expect(await textOf(join(folder.path, 'precious'))).toBe('precious');
  });
});

describe('what is no ordinary file stays', () => {
  test.each([
    ['a folder', () => mkdir(file)],
    ['a FIFO', async () => execFileSync('mkfifo', [file])],
    ['a link that leads nowhere', () => symlink('nowhere', file)],
    ['a link to a device', () => symlink('/dev/null', file)],
  ])('%s', async (_name, make) => {
    await make();
    const before = await lstat(file);
    await expect(put('new')).rejects.toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
    const { ino, mode } = await lstat(file);
    expect([ino, mode]).toEqual([before.ino, before.mode]);
    expect(await names()).toEqual(['target']);
  });

  test('a socket', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(file, resolve));
    await expect(put('new')).rejects.toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
    expect((await lstat(file)).isSocket()).toBe(true);
    await new Promise((resolve) => server.close(resolve));
  });

  test('a device, and nothing is made beside it', async () => {
    await expect(put('new', {}, '/dev/null')).rejects.toThrow(/a device/);
    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
    expect((await readdir('/dev')).filter((name) => name.startsWith('null'))).toEqual(['null']);
  });
});

describe('what somebody else put in the way meanwhile stays', () => {
  test('a file where nothing was', async () => {
    await expect(putWhile('new', () => writeFile(file, 'theirs'))).rejects.toEqual(BUSY);
    expect(await textOf(file)).toBe('theirs');
    expect(await names()).toEqual(['target']);
  });

  test('another file', async () => {
    await writeFile(file, 'old');
    const theirs = join(folder.path, 'theirs');
    await expect(
      putWhile('new', async () => {
        await writeFile(theirs, 'theirs');
        await rename(theirs, file);
      }),
    ).rejects.toEqual(BUSY);
    expect(await textOf(file)).toBe('theirs');
    expect(await names()).toEqual(['target']);
  });

  test('a link in the place of the file', async () => {
    await writeFile(file, 'old');
    const precious = join(folder.path, 'precious');
    await writeFile(precious, 'precious');
    await expect(
      putWhile('new', async () => {
        await rm(file);
        await symlink(precious, file);
      }),
    ).rejects.toEqual(BUSY);
    expect(await textOf(precious)).toBe('precious');
    expect(await names()).toEqual(['precious', 'target']);
  });

  test('nothing, where a file was', async () => {
    await writeFile(file, 'old');
    await expect(putWhile('new', () => rm(file))).rejects.toEqual(BUSY);
    expect(await names()).toEqual([]);
  });

  test('another folder; the one that was left is clean', async () => {
    const inner = join(folder.path, 'inner');
    const moved = join(folder.path, 'moved');
    await mkdir(inner);
    file = join(inner, 'target');
    await expect(
      putWhile('new', async () => {
        await rename(inner, moved);
        await mkdir(inner);
      }),
    ).rejects.toEqual(BUSY);
    expect(await readdir(inner)).toEqual([]);
    expect(await readdir(moved)).toEqual([]);
  });

  test('another file under the unfinished name: it neither gets the name nor is removed', async () => {
    let theirs = '';
    await expect(
      putWhile('new', async (unfinished) => {
        theirs = unfinished;
        await rm(unfinished);
        await writeFile(unfinished, 'theirs');
      }),
    ).rejects.toEqual(BUSY);
    expect(await lstat(file).catch(() => null)).toBeNull();
    expect(await textOf(theirs)).toBe('theirs');
  });

  test.each([
    ['a new file', false],
    ['a file that is replaced', true],
  ])('what another wrote to its end in the middle of this, of %s', async (_name, there) => {
    if (there) await writeFile(file, 'old');
    await expect(putWhile('first', () => put('second'))).rejects.toEqual(BUSY);
    expect(await textOf(file)).toBe('second');
    expect(await names()).toEqual(['target']);
  });

  test('two at once for one new name: one is refused, and who reports success has left his file', async () => {
    for (let round = 0; round < 10; round += 1) {
      const path = join(folder.path, `target${round}`);
      const texts = ['first', 'second'];
      const outcomes = await Promise.allSettled(texts.map((text) => put(text, {}, path)));
      const won = outcomes.findIndex(({ status }) => status === 'fulfilled');
      expect(outcomes[1 - won]).toMatchObject({ status: 'rejected', reason: { reason: 'BUSY' } });
      expect(await textOf(path)).toBe(texts[won]);
    }
    expect(await names()).toHaveLength(10);
  });
});

describe('work that takes long', () => {
  const long = { long: true };
  /** A process of its own that fills a file until it is killed; the name under which it does. */
  const killed = async (): Promise<string> => {
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', UNFINISHED_WORK, join(folder.path, 'target')],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    const others = put('other', long).then(
      () => 'done',
      () => 'refused',
    );
    expect(await others).toBe('done');
    expect(await names()).toContain(said.toString().trim());
    await rm(file);
    child.kill('SIGKILL');
    await once(child, 'close');
    return said.toString().trim();
  };

  test('that was killed leaves an unfinished file, which the next clears away; one that lives is left alone', async () => {
    const left = await killed();
    const similar = left.replace('target', 'target2');
    await writeFile(join(folder.path, similar), 'of another target');
    expect(finishedName(left)).toBe('target');
    expect(await names()).toEqual([left, similar].sort());
    await put('new', long);
    expect(await names()).toEqual(['target', similar].sort());
  });
});

test('of many that take long, at once for one new name, one stands and the others see that it is there', async () => {
  for (let round = 0; round < 3; round += 1) {
    const path = join(folder.path, `target${round}`);
    const texts = Array.from({ length: 5 }, (_, i) => `text ${i}`);
    const outcomes = await Promise.allSettled(texts.map((text) => put(text, { long: true }, path)));
    const won = outcomes.findIndex(({ status }) => status === 'fulfilled');
    expect(await textOf(path)).toBe(texts[won]);
    outcomes.splice(won, 1);
    for (const other of outcomes)
      expect(other).toMatchObject({ status: 'rejected', reason: { details: { errno: 'EEXIST' } } });
  }
  expect(await names()).toHaveLength(3);
});

describe('a file that is in use', () => {
  test('is asked about before the work and right before the end', async () => {
    await writeFile(file, 'old');
    const asked: string[] = [];
    const requireFree = async (): Promise<void> => void asked.push('asked');
    await writeWholeFile(file, async () => void asked.push('filled'), { requireFree });
    expect(asked).toEqual(['asked', 'filled', 'asked']);
  });

  test('stays; nothing is written', async () => {
    await writeFile(file, 'old');
    const requireFree = (): Promise<void> => Promise.reject(new Error('in use'));
    await expect(put('new', { requireFree })).rejects.toThrow('in use');
    expect(await textOf(file)).toBe('old');
  });
});
