/** A session that begins from a bitmap of another program: what `begin` calls incremental can be asked afterwards. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cli } from '../../../../helpers/cli.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const KiB64 = 65_536;
let folder: TemporaryFolder;
let daemon: StorageDaemon;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  const file = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file }] });
  await daemon.exportWritable('a');
});
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

test.each(['fleece', 'overlay'])('%s', async (mode) => {
  const vm = ['--vm', daemon.process.qmpPath];
  const disk = `qmp:${daemon.process.qmpPath}#a`;
  const server = ['--nbd-socket', daemon.nbdPath];
  const { control } = daemon.process;
  await daemon.guestIo('a', 'write -P 1 0 64k');
  await control.execute('block-dirty-bitmap-add', { node: 'a', name: 'theirs', persistent: true });
  await daemon.guestIo('a', 'write -P 2 64k 64k');
  expect((await cli('enable', ...vm)).code).toBe(0);
  await daemon.guestIo('a', 'write -P 3 256k 64k');
  const begun = await cli(
    ...['begin', ...vm, ...server, '--json', '--mode', mode, '--scratch', folder.path, '--base', 'theirs'],
  );
  const { session, disks } = JSON.parse(begun.stdout);
  expect(disks).toMatchObject([{ verdict: 'incremental', base: 'theirs' }]);
  await daemon.guestIo('a', 'write -P 4 1M 64k', 'flush');

  const told = await cli('changes', disk, '--from', 'theirs', '--session', session, ...server, '--json');
  expect(told).toMatchObject({ code: 0, stderr: expect.stringContaining('is not ours') });
  const areas = (JSON.parse(told.stdout).areas as { start: number; length: number }[]).map(
    ({ start, length }) => [start, length],
  );
  const changed = [
    [KiB64, KiB64],
    [4 * KiB64, KiB64],
  ];
  // While a fleecing session runs the bitmap goes on recording: more, never less.
  expect(areas).toEqual(mode === 'fleece' ? [...changed, [16 * KiB64, KiB64]] : changed);
  expect((await cli('commit', ...vm, '--session', session)).code).toBe(0);
});
