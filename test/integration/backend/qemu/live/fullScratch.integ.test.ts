/** Sessions whose folder is on a file system without a free byte, or that cannot be written any more: they end all the same. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDisk } from '../../../../../lib/host/open.js';
import { cli } from '../../../../helpers/cli.js';
import { qemuImg, qemuIo } from '../../../../helpers/qemuTools.js';
import { SmallFileSystem, sealFolder } from '../../../../helpers/smallFileSystem.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const MiB = 2 ** 20;
let folder: TemporaryFolder;
let small: SmallFileSystem;
let image: string;
let daemon: StorageDaemon;
let first: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  small = await SmallFileSystem.mount(6 * MiB);
  image = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '8M');
  await qemuIo(['-f', 'qcow2', image], 'write -P 1 0 8M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
  await daemon.exportWritable('a');
  first = JSON.parse((await command('enable', '--json')).stdout).pit;
});
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  await small[Symbol.asyncDispose]();
  await folder.remove();
});

const command = (name: string, ...more: string[]) => cli(name, '--vm', daemon.process.qmpPath, ...more);
async function begin(mode: string): Promise<string> {
  const options = ['--nbd-socket', daemon.nbdPath, '--scratch', small.path, '--scratch-unwatched', '--json'];
  const begun = await command('begin', '--mode', mode, ...options);
  return JSON.parse(begun.stdout).session;
}
/** What an image at rest says after QEMU has closed it. */
async function pitsAfterwards(): Promise<string[]> {
  await daemon.process.terminate();
  await using disk = await openDisk(image);
  const { pits, state } = await disk.pits();
  expect(state).toBe('recording');
  return pits.map(({ pit }) => pit);
}

describe.each(['overlay', 'fleece'])('a session in %s mode on a full file system', (mode) => {
  test.each(['commit', 'rollback'])('can be ended with %s, and keeps what the guest wrote', async (how) => {
    const session = await begin(mode);
    await daemon.guestIo('a', 'write -P 2 0 1M', 'flush');
    await small.fill();
    expect(await small.freeBytes()).toBe(0);
    const ended = await command(how, '--session', session);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(await readdir(small.path)).toEqual(['fill']);
    await daemon.guestIo('a', 'read -P 2 0 1M', 'read -P 1 1M 7M');
    expect(await pitsAfterwards()).toEqual(how === 'commit' ? [first, session] : [first]);
    await qemuIo(['-r', '-f', 'qcow2', image], 'read -P 2 0 1M', 'read -P 1 1M 7M');
    await qemuImg('check', '-q', '-f', 'qcow2', image);
  });
});

test('an ending whose record cannot be written at all ends the session, and says what stays', async () => {
  const session = await begin('overlay');
  await daemon.guestIo('a', 'write -P 2 0 1M', 'flush');
  const [name = ''] = await readdir(small.path);
  const unseal = await sealFolder(small.file(name));
  const ended = await command('commit', '--session', session);
  expect(ended.code).toBe(0);
  expect(ended.stderr).toMatch(
    /the session has ended, but its folder .* stays .*remove it, or the next session may take its point in time back/,
  );
  await unseal();
  await daemon.guestIo('a', 'read -P 2 0 1M');
  // Nothing says that the overlay is empty now, so it stays until a person has looked; the point is taken for one that
  // nobody committed.
  const next = await begin('overlay');
  await command('rollback', '--session', next);
  expect(await readdir(small.path)).toEqual([name]);
  await daemon.guestIo('a', 'read -P 2 0 1M');
  expect((await pitsAfterwards())[0]).toBe(first);
});
