/** boot-test against real guests: one that goes on, and one that finds nothing to boot; neither changes a byte, and nothing is left. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { cli, cliWith } from '../../helpers/cli.js';
import { eventually } from '../../helpers/eventually.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let from: string;
const at = (...names: string[]): string => join(folder.path, ...names);

/** Run 1 boots a sector that prints one character after the other for ever; run 2 has nothing to boot. */
beforeAll(async () => {
  folder = await makeTemporaryFolder();
  from = at('backups');
  const image = at('disk.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
  const sector = Buffer.alloc(512);
  // mov ax,0x0e41; again: int 0x10; inc al; jmp again
  Buffer.from('b8410ecd10fec0ebfa', 'hex').copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  await writeFile(at('sector'), sector);
  await qemuIo(['-f', 'qcow2', image], `write -s ${at('sector')} 0 512`);
  await backup(imagesSource([image]), { to: from });
  await qemuIo(['-f', 'qcow2', image], 'write -z 0 64k');
  await backup(imagesSource([image]), { to: from });
});
afterAll(() => folder.remove());

const bootTest = (...more: string[]): string[] => [
  'boot-test',
  from,
  '--memory',
  '64M',
  '--scratch',
  folder.path,
  ...more,
];

test('a guest that moves has passed, with its screen as a picture', async () => {
  const { code, stdout, stderr } = await cli(
    ...bootTest('--pit', '1', '--wait', '2m', '--screenshot', at('screen.png')),
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(
    /^run 1, .*: passed after [\d.]+ s: the screen changed \d+ times; its screen is in .*screen\.png\n$/,
  );
  expect((await readFile(at('screen.png'))).toString('latin1', 1, 4)).toBe('PNG');
  expect((await readdir(folder.path)).filter((name) => name.startsWith('cbt-'))).toEqual([]);
});

test('one that finds nothing to boot has not, and the exit code says so', async () => {
  const { code, stdout } = await cli(...bootTest('--wait', '5s', '--json'));
  expect(code).toBe(6);
  expect(JSON.parse(stdout)).toMatchObject({
    run: 2,
    alive: false,
    by: null,
    message: expect.stringMatching(/no guest agent answered/),
  });
});

test('called off, nothing of it is left', async () => {
  const stop = new AbortController();
  const running = cliWith({ signal: stop.signal }, ...bootTest('--wait', '1h'));
  await eventually(async () => expect((await readdir(folder.path)).join()).toMatch(/cbt-boot-/));
  stop.abort();
  expect((await running).code).toBe(130);
  expect((await readdir(folder.path)).join()).not.toMatch(/cbt-/);
});
