/** What stands in the file decides whether a change of points in time happened: not what QEMU says, and not how it ends. */
import { chmod, copyFile, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ImageTracking } from '../../../../lib/host/imageTracking.js';
import { openDisk } from '../../../../lib/host/open.js';
import { cli, cliWith } from '../../../helpers/cli.js';
import {
  makeTemporaryFolder,
  qemuImg,
  type TemporaryFolder,
  writeRecorded,
} from '../../../helpers/qemuTools.js';

const VARIABLE = 'QEMU_STORAGE_DAEMON';
const chosen = process.env[VARIABLE];
const REAL = chosen ?? 'qemu-storage-daemon';

let folder: TemporaryFolder;
let disk: string;
let other: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  disk = join(folder.path, 'disk.qcow2');
  other = join(folder.path, 'other.qcow2');
  for (const image of [disk, other]) await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
});
afterEach(async () => {
  if (chosen === undefined) delete process.env[VARIABLE];
  else process.env[VARIABLE] = chosen;
  await folder.remove();
});

/** Runs `script` in place of the daemon, from here on; "$@" are its arguments. */
const replaceDaemon = async (script: string): Promise<void> => {
  const file = join(folder.path, 'daemon.sh');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  process.env[VARIABLE] = file;
};
const realDaemon = (): void => {
  process.env[VARIABLE] = REAL;
};
const points = async (image: string): Promise<string[]> => {
  await using opened = await openDisk(image);
  return (await opened.pits()).pits.map(({ pit }) => pit);
};
/** A program that knows no bitmaps wrote to the image: the flag that vouches for them is off. */
const writeWithoutBitmaps = async (image: string): Promise<void> => {
  await using file = await open(image, 'r+');
  await file.write(Buffer.alloc(8), 0, 8, 88);
};

describe('what QEMU says', () => {
  beforeEach(async () => {
    await new ImageTracking([disk]).enable();
    expect((await cli('backup', disk, '--to', join(folder.path, 'F'))).code).toBe(0);
    await writeWithoutBitmaps(disk);
  });

  it.each([['enable'], ['begin'], ['backup', '--to', 'F']])(
    'of leaked clusters is told by %s, which does its work',
    async (name, ...more) => {
      const args = more.map((word) => (word === 'F' ? join(folder.path, 'F') : word));
      const { code, stderr } = await cli(name ?? '', disk, ...args);
      expect({ code, stderr }).toEqual({
        code: 0,
        stderr: expect.stringMatching(/warning.*QEMU said: .*clusters may be leaked/),
      });
      expect(await points(disk)).toHaveLength(1);
    },
  );

  it('is no failure whatever it is, when the file has what it should', async () => {
    await replaceDaemon(`${REAL} "$@"; echo "qemu-storage-daemon: Failed to flush the L2 block cache" >&2`);
    const { disks, warnings } = await new ImageTracking([other]).enable();
    expect(await points(other)).toHaveLength(1);
    expect(disks[0]?.error).toBeUndefined();
    expect(warnings).toEqual(['QEMU said: Failed to flush the L2 block cache']);
  });
});

describe('a change that failed after it was made', () => {
  let first: string;
  beforeEach(async () => {
    first = String((await new ImageTracking([disk, other]).enable()).pit);
    await writeRecorded(disk, [[65536, 512]]);
  });
  const nextIsFrom = async (image: string): Promise<string | undefined> => {
    realDaemon();
    const { disks } = await new ImageTracking([image]).begin();
    return disks[0]?.base;
  };

  it('leaves no point when QEMU ended badly', async () => {
    await replaceDaemon(`${REAL} "$@"; rm "$0"; ln -s "$(command -v ${REAL})" "$0"; exit 3`);
    await expect(new ImageTracking([disk]).begin()).rejects.toThrow(/exit code 3/);
    expect(await points(disk)).toEqual([first]);
    expect(await nextIsFrom(disk)).toBe(first);
  });

  it('leaves none when it was cancelled right after', async () => {
    const abort = new AbortController();
    await replaceDaemon(`${REAL} "$@"; touch ${folder.path}/ended`);
    const begun = new ImageTracking([disk]).begin({ signal: abort.signal });
    // The point is stored when the daemon has ended; what follows is the reading back.
    while ((await readFile(join(folder.path, 'ended')).catch(() => null)) === null) await null;
    abort.abort();
    // Whichever was first: what it says is what the file holds.
    const done = await begun.catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'ERR_CBT_ABORTED' });
      return null;
    });
    expect(await points(disk)).toEqual(done === null ? [first] : [first, done.pit]);
  });

  it('spoils the image alone on which it did not happen', async () => {
    const before = join(folder.path, 'before.qcow2');
    await copyFile(other, before);
    await replaceDaemon(`${REAL} "$@" && cp ${before} ${other}`);
    const { pit, disks } = await new ImageTracking([disk, other]).begin();
    expect(disks[0]).toMatchObject({ disk, verdict: 'incremental', base: first });
    expect(disks[1]).toMatchObject({
      disk: other,
      error: { code: 'ERR_CBT_TRACKING_LOST', disk: other, message: expect.stringMatching(/instead of/) },
    });
    expect(disks[1]?.changeId).toBeUndefined();
    expect(await points(disk)).toEqual([first, pit]);
    expect(await points(other)).toEqual([first]);
  });

  it('is undone on all images where it must be all or none', async () => {
    const before = join(folder.path, 'before.qcow2');
    await new ImageTracking([disk, other]).disable();
    await copyFile(other, before);
    await replaceDaemon(`${REAL} "$@" && cp ${before} ${other}; rm "$0"; ln -s "$(command -v ${REAL})" "$0"`);
    await expect(new ImageTracking([disk, other]).enable()).rejects.toMatchObject({
      code: 'ERR_CBT_TRACKING_LOST',
      disk: other,
    });
    for (const image of [disk, other]) expect(await points(image)).toEqual([]);
  });

  it('says how to undo it where that fails too', async () => {
    await replaceDaemon(`${REAL} "$@"; exit 3`);
    const error = await new ImageTracking([disk]).begin().catch((thrown: unknown) => thrown as Error);
    const [, session = ''] = /rollback --session ([0-9a-f-]{36})/.exec((error as Error).message) ?? [];
    expect((error as Error).message).toContain(`rollback --session ${session} ${disk}`);
    realDaemon();
    await new ImageTracking([disk]).rollback(session).catch(() => undefined);
    expect(await points(disk)).toEqual([first]);
  });

  it('says what the file holds when QEMU could not store the bitmaps', async () => {
    // The file may not grow: every new cluster fails with EFBIG.
    await replaceDaemon(`trap '' XFSZ; ulimit -f 0; exec ${REAL} "$@"`);
    const image = join(folder.path, 'new.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
    await expect(new ImageTracking([image]).enable()).rejects.toMatchObject({
      code: 'ERR_CBT_TRACKING_LOST',
      message: expect.stringMatching(/Lost persistent bitmaps.*full backup/),
    });
    expect(await points(image)).toEqual([]);
    // Another program is asked, and the error is said of that image alone.
    realDaemon();
    expect((await new ImageTracking([image]).enable()).disks[0]?.error).toBeUndefined();
  });
});

describe('stderr', () => {
  it('has only our own lines, however many wait for one signal', async () => {
    const heard: string[] = [];
    const listen = (warning: Error): void => void heard.push(`${warning.name}: ${warning.message}`);
    process.on('warning', listen);
    try {
      await writeRecorded(disk, [[0, 4 << 20]]);
      const { signal } = new AbortController();
      const to = join(folder.path, 'F');
      const { code, stderr } = await cliWith({ signal }, 'backup', disk, '--to', to, '--rate', '20M');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      // Node tells a warning on a later turn.
      await new Promise((resolve) => setImmediate(resolve));
      expect(heard).toEqual([]);
    } finally {
      process.off('warning', listen);
    }
  });
});
