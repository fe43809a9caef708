import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { listDisks } from '../../../../lib/backend/qemu/graph/vmDisks.js';
import { qmp } from '../../../../lib/backend/qemu/qmp/commands.js';
import { QmpCommandError } from '../../../../lib/backend/qemu/qmp/qmpError.js';
import { runTransaction } from '../../../../lib/backend/qemu/qmp/transaction.js';
import { withStorageDaemon } from '../../../../lib/backend/qemu/storageDaemon.js';
import { type ImageNode, imageNode } from '../../../../lib/host/imageName.js';
import { buildProgram } from '../../../helpers/builtProgram.js';
import { eventually } from '../../../helpers/eventually.js';
import { makeFolder, qemuImg, run } from '../../../helpers/qemuProcess.js';
import { StorageDaemon } from '../../../helpers/storageDaemon.js';

const VARIABLE = 'QEMU_STORAGE_DAEMON';
const chosen = process.env[VARIABLE];
const REAL = chosen ?? 'qemu-storage-daemon';

let folder: string;
beforeAll(async () => {
  folder = await makeFolder();
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});
afterEach(() => {
  if (chosen === undefined) delete process.env[VARIABLE];
  else process.env[VARIABLE] = chosen;
});

let image: string;
let count = 0;
beforeEach(async () => {
  count += 1;
  image = path.join(folder, `${count}.qcow2`);
  await qemuImg(['create', '-q', '-f', 'qcow2', image, '16M']);
});

interface StoredBitmap {
  name: string;
  flags: string[];
}
/** Bitmaps of the file as it is on disk. */
const stored = async (file: string): Promise<StoredBitmap[]> => {
  const info = JSON.parse(await qemuImg(['info', '--output=json', file])) as {
    'format-specific': { data: { bitmaps?: StoredBitmap[] } };
  };
  return (info['format-specific'].data.bitmaps ?? []).map(({ name, flags }) => ({ name, flags }));
};
const add = (node: string, name: string) => ({ kind: 'add', node, name, persistent: true }) as const;
const coded = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

/** Runs `script` in place of the daemon; "$@" are its arguments. */
const replaceProgram = async (script: string): Promise<void> => {
  const file = path.join(folder, `daemon${count}.sh`);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  process.env[VARIABLE] = file;
};

describe('withStorageDaemon', () => {
  it('opens images that no VM uses, and stores their bitmaps at the end', async () => {
    const second = path.join(folder, 'second, with=odd "name".qcow2');
    await qemuImg(['create', '-q', '-f', 'qcow2', second, '16M']);
    let place = '';
    const seen = await withStorageDaemon(
      {
        images: [
          { path: image, nodeName: 'one' },
          { path: path.relative(process.cwd(), second), nodeName: 'two' },
        ],
      },
      async (client, { folder: own }) => {
        place = own;
        expect((await stat(own)).mode & 0o777).toBe(0o700);
        await runTransaction(client, [add('one', 'x'), add('two', 'x')]);
        return (await listDisks(client)).map((disk) => disk.id);
      },
    );
    expect(seen.sort()).toEqual(['one', 'two']);
    expect(await stored(image)).toEqual([{ name: 'x', flags: ['auto'] }]);
    expect(await stored(second)).toEqual([{ name: 'x', flags: ['auto'] }]);
    expect(existsSync(place)).toBe(false);
  });

  it('asks it by a signal to end where it does not hear quit: its bitmaps are stored', async () => {
    await withStorageDaemon({ images: [{ path: image, nodeName: 'n' }] }, async (client) => {
      await runTransaction(client, [add('n', 'x')]);
      const real = client.execute.bind(client);
      client.execute = async (command, ...rest) => {
        if (command === 'quit') throw new QmpCommandError(command, 'GenericError', 'refused by the test');
        return real(command, ...rest);
      };
    });
    expect(await stored(image)).toEqual([{ name: 'x', flags: ['auto'] }]);
  });

  it('says BUSY, and which file, when a VM has the image', async () => {
    await using _vm = await StorageDaemon.start({ disks: [{ node: 'd', file: image }] });
    const fn = vi.fn();
    const error = await withStorageDaemon({ images: [{ path: image, nodeName: 'n' }] }, fn).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      reason: 'BUSY',
      disk: image,
      message: expect.stringMatching(/in use by another process .*lock/),
    });
    expect(fn).not.toHaveBeenCalled();
  });

  it('opens read-only when told, and lets others read then', async () => {
    const images = [{ path: image, nodeName: 'n', readOnly: true }];
    await withStorageDaemon({ images }, async (client) => {
      expect(await listDisks(client)).toMatchObject([{ id: 'n', trackable: false }]);
      await withStorageDaemon({ images }, async () => undefined);
    });
  });

  it('opens the files it is told, and none that a header names', async () => {
    const overlay = path.join(folder, `${count}-top.qcow2`);
    await qemuImg(['create', '-q', '-f', 'qcow2', '-b', image, '-F', 'qcow2', overlay]);
    const layers = (node?: ImageNode) =>
      withStorageDaemon({ images: [{ path: overlay, nodeName: 'n', node }] }, async (client) =>
        (await listDisks(client)).map((disk) => disk.layers?.length),
      );
    const node = await imageNode(overlay, { format: 'qcow2' });
    expect(await layers(node)).toEqual([2]);
    expect(await layers()).toEqual([1]);
    await rm(image);
    expect(await layers()).toEqual([1]);
    await expect(layers(node)).rejects.toThrow(coded('ERR_CBT_BACKEND_UNAVAILABLE', /No such file/));
  });

  it.each<[string, () => Promise<string>, string, RegExp]>([
    ['is not there', async () => '/nonexistent/x.qcow2', 'ERR_CBT_BACKEND_UNAVAILABLE', /No such file/],
    [
      'is of another format',
      async () => {
        const file = path.join(folder, 'raw.img');
        await writeFile(file, Buffer.alloc(65536, 1));
        return file;
      },
      'ERR_CBT_CORRUPT_IMAGE',
      /not in qcow2 format/,
    ],
    [
      'is of an unknown version',
      async () => {
        const file = path.join(folder, 'v9.qcow2');
        const bytes = await readFile(image);
        bytes.writeUInt32BE(9, 4);
        await writeFile(file, bytes);
        return file;
      },
      'ERR_CBT_UNSUPPORTED',
      /Unsupported qcow2 version 9/,
    ],
    [
      'has a table out of bounds',
      async () => {
        const file = path.join(folder, 'l1.qcow2');
        const bytes = await readFile(image);
        bytes.writeUInt32BE(0xffffffff, 36);
        await writeFile(file, bytes);
        return file;
      },
      'ERR_CBT_CORRUPT_IMAGE',
      /L1 table/i,
    ],
  ])('refuses an image that %s, naming it', async (_what, make, code, message) => {
    const file = await make();
    const error = await withStorageDaemon({ images: [{ path: file, nodeName: 'n' }] }, vi.fn()).catch(
      (e: unknown) => e,
    );
    expect(error).toEqual(coded(code, message));
    expect(error).toMatchObject({ disk: file });
  });

  it('ends the daemon cleanly when the work fails, and tells its error', async () => {
    const run = withStorageDaemon({ images: [{ path: image, nodeName: 'n' }] }, async (client) => {
      await runTransaction(client, [add('n', 'kept')]);
      throw new Error('mine');
    });
    await expect(run).rejects.toThrow('mine');
    expect(await stored(image)).toEqual([{ name: 'kept', flags: ['auto'] }]);
  });

  it('ends the daemon cleanly when cancelled, before, in the middle and while opening', async () => {
    const abort = new AbortController();
    const run = withStorageDaemon(
      { images: [{ path: image, nodeName: 'n' }], signal: abort.signal },
      async (client) => {
        await runTransaction(client, [add('n', 'kept')], { signal: abort.signal });
        abort.abort();
        await qmp(client, 'query-jobs', undefined, { signal: abort.signal });
      },
    );
    await expect(run).rejects.toThrow(coded('ERR_CBT_ABORTED', /cancelled/));
    expect(await stored(image)).toEqual([{ name: 'kept', flags: ['auto'] }]);
    await expect(withStorageDaemon({ images: [], signal: abort.signal }, vi.fn())).rejects.toThrow(
      /cancelled/,
    );
    for (const delay of [0, 5, 20]) {
      const signal = AbortSignal.timeout(delay);
      await expect(
        withStorageDaemon({ images: [{ path: image, nodeName: 'n' }], signal }, async (client) => {
          await client.waitEvent(() => false, { signal });
        }),
      ).rejects.toMatchObject({ code: 'ERR_CBT_ABORTED' });
      await qemuImg(['check', '-q', image]);
    }
    expect(await stored(image)).toEqual([{ name: 'kept', flags: ['auto'] }]);
  });

  it('ends it cleanly also when the work closed the connection', async () => {
    await withStorageDaemon({ images: [{ path: image, nodeName: 'n' }] }, async (client) => {
      await runTransaction(client, [add('n', 'kept')]);
      await client.close();
    });
    expect(await stored(image)).toEqual([{ name: 'kept', flags: ['auto'] }]);
  });

  it('names the package when the program is missing', async () => {
    process.env[VARIABLE] = '/nonexistent/qsd';
    await expect(withStorageDaemon({ images: [] }, vi.fn())).rejects.toThrow(
      coded('ERR_CBT_UNSUPPORTED', /\/nonexistent\/qsd.*qemu-system-common \(Debian.*qemu-img \(Fedora/),
    );
    delete process.env[VARIABLE];
    const { PATH } = process.env;
    try {
      process.env['PATH'] = folder;
      await expect(withStorageDaemon({ images: [] }, vi.fn())).rejects.toThrow(
        coded('ERR_CBT_UNSUPPORTED', /qemu-storage-daemon was not found in PATH/),
      );
    } finally {
      process.env['PATH'] = PATH;
    }
  });

  it('tells what a program says that does not start', async () => {
    await replaceProgram('echo "error while loading shared libraries" >&2; exit 127');
    await expect(withStorageDaemon({ images: [] }, vi.fn())).rejects.toThrow(
      coded('ERR_CBT_BACKEND_UNAVAILABLE', /did not start \(exit code 127\): error while loading/),
    );
  });

  it('works without setpriv', async () => {
    await symlink((await run('which', [REAL])).trim(), path.join(folder, 'qsd-alone'));
    process.env[VARIABLE] = path.join(folder, 'qsd-alone');
    const { PATH } = process.env;
    try {
      process.env['PATH'] = '/nonexistent';
      await withStorageDaemon({ images: [{ path: image, nodeName: 'n' }] }, (client) =>
        runTransaction(client, [add('n', 'x')]),
      );
    } finally {
      process.env['PATH'] = PATH;
    }
    expect(await stored(image)).toHaveLength(1);
  });

  it('hands on what QEMU says, and lets it decide nothing', async () => {
    // The file may not grow: every new cluster fails with EFBIG.
    await replaceProgram(`trap '' XFSZ; ulimit -f 0; exec ${REAL} "$@"`);
    const onSaid = vi.fn();
    await withStorageDaemon({ images: [{ path: image, nodeName: 'n' }], onSaid }, (client) =>
      runTransaction(client, [add('n', 'lost')]),
    );
    expect(onSaid).toHaveBeenCalledWith(expect.stringMatching(/^Lost persistent bitmaps/));
    expect(await stored(image)).toEqual([]);
  });

  it('says so when the daemon dies under the work', async () => {
    await replaceProgram(`echo $$ > ${folder}/pid${count}; exec ${REAL} "$@"`);
    const error = await withStorageDaemon({ images: [{ path: image, nodeName: 'n' }] }, async (client) => {
      process.kill(Number(await readFile(`${folder}/pid${count}`, 'utf8')), 'SIGKILL');
      await client.ended;
      await qmp(client, 'query-jobs');
    }).catch((e: unknown) => e);
    expect(error).toEqual(
      coded('ERR_CBT_BACKEND_UNAVAILABLE', /is gone.*moreover.*SIGKILL.*may not be stored/),
    );
  });

  it('tells a bad exit even when the work was done', async () => {
    await replaceProgram(`${REAL} "$@"; exit 3`);
    await expect(withStorageDaemon({ images: [] }, async () => 1)).rejects.toThrow(
      coded('ERR_CBT_BACKEND_UNAVAILABLE', /ended with exit code 3; bitmaps may not be stored/),
    );
  });

  it('kills a daemon that does not end', async () => {
    await replaceProgram(`trap '' TERM; echo $$ > ${folder}/hung; ${REAL} "$@"; exec sleep 600`);
    const started = performance.now();
    await expect(withStorageDaemon({ images: [], stopTimeoutMs: 300 }, async () => 1)).rejects.toThrow(
      coded('ERR_CBT_TIMEOUT', /did not end in 300 ms and was killed/),
    );
    expect(performance.now() - started).toBeLessThan(20_000);
    const pid = Number(await readFile(`${folder}/hung`, 'utf8'));
    await eventually(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'));
  });

  it('ends cleanly, storing the bitmaps, when our process is killed with kill -9', async () => {
    const lib = path.resolve(import.meta.dirname, '../../../../lib');
    const script = path.join(folder, 'child.mjs');
    await writeFile(
      script,
      `import { withStorageDaemon } from '${lib}/backend/qemu/storageDaemon.js';
       import { runTransaction } from '${lib}/backend/qemu/qmp/transaction.js';
       await withStorageDaemon({ images: [{ path: process.argv[2], nodeName: 'n' }] }, async (client) => {
         await runTransaction(client, [{ kind: 'add', node: 'n', name: 'x', persistent: true }]);
         console.log(client.name);
         await new Promise(() => setInterval(() => undefined, 1000));
       });`,
    );
    const program = await buildProgram(script);
    onTestFinished(program.remove);
    // What it leaves behind goes with our folder.
    const child = spawn(process.execPath, [program.path, image], {
      env: { ...program.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = await new Promise<string>((resolve, reject) => {
      child.stdout.setEncoding('utf8').once('data', resolve);
      child.once('exit', (code) => reject(new Error(`the process ended by itself with ${code}`)));
    });
    const daemon = Number(/ (\d+)\s*$/.exec(said)?.[1]);
    process.kill(daemon, 0);
    child.kill('SIGKILL');
    await eventually(() => expect(() => process.kill(daemon, 0)).toThrow('ESRCH'));
    expect(await stored(image)).toEqual([{ name: 'x', flags: ['auto'] }]);
  });
});
