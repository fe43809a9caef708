/** Every recipe, as it stands in docs/recipes.md: its commands one after the other, in one small world. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cliWith } from '../../helpers/cli.js';
import { eventually } from '../../helpers/eventually.js';
import { TOP_GUID, writeHdd } from '../../helpers/parallelsBuilder.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const page = resolve(import.meta.dirname, '../../../docs/recipes.md');

let folder: TemporaryFolder;
let daemon: StorageDaemon;
const at = (...names: string[]): string => join(folder.path, ...names);

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  for (const name of ['vms', 'backups', 'backups2', 'mnt']) await mkdir(at(name));
  for (const name of ['web', 'mail', 'db', 'old']) {
    await qemuImg('create', '-q', '-f', 'qcow2', at('vms', `${name}.qcow2`), '2M');
    await qemuIo(['-f', 'qcow2', at('vms', `${name}.qcow2`)], 'write -P 1 0 64k');
  }
  const hdd = writeHdd(at('vms', 'legacy.hdd'), {
    clusterSectors: 2048,
    diskSectors: 4096,
    images: [{ guid: TOP_GUID, file: 'root.hds' }],
  });
  await qemuImg('create', '-q', '-f', 'parallels', join(hdd, 'root.hds'), '2M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'vda', file: at('vms', 'web.qcow2') }] });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

/** A line or a file of the page, in the world of the test. */
function here(text: string): string {
  return text
    .replaceAll('/run/web.qmp', daemon.process.qmpPath)
    .replace(/(?<![\w.])\/(vms|backups2|backups|offsite|mnt|run)(?=[/\s,}]|$)/gm, at('$1'));
}

async function runLine(line: string): Promise<void> {
  const [program = '', ...args] = line.split(/\s+/).map((word) => word.replace(/^'(.*)'$/, '$1'));
  if (program !== 'qemu-cbt') {
    await promisify(execFile)(program, args);
    return;
  }
  const stop = new AbortController();
  const running = cliWith({ signal: stop.signal }, '--host', at('host.yaml'), ...args);
  if (args[0] === 'mount') {
    const shown = join(args.at(-1) ?? '', 'vda.raw');
    await eventually(async () => expect((await stat(shown)).size).toBe(2 << 20));
    stop.abort();
  }
  const { code, stdout, stderr } = await running;
  expect(code, `${line}\n${stdout}${stderr}`).toBe(0);
}

test('the recipes', async () => {
  const text = await readFile(page, 'utf8');
  const [, hostFile = ''] = /```yaml\n(.*?)```/s.exec(text) ?? [];
  await writeFile(at('host.yaml'), here(hostFile));
  const lines = text.split('\n').flatMap((line) => /^ {4}(\S.*)$/.exec(line)?.[1] ?? []);
  const run = lines.filter((line) => !line.endsWith('# by hand'));
  expect(run.length).toBeGreaterThan(20);
  let undone = 0;
  for (const line of run) {
    const undoes = line.includes('--onto mail');
    const mail = ['-f', 'qcow2', at('vms', 'mail.qcow2')];
    if (undoes) await qemuIo(mail, 'write -P 9 0 4k', 'write -P 9 1M 64k');
    await runLine(here(line));
    if (undoes) await qemuIo(mail, 'read -P 1 0 64k', 'read -P 0 64k 1984k');
    undone += undoes ? 1 : 0;
  }
  expect(undone).toBe(1);
  const manifest = JSON.parse(await readFile(at('backups', 'mail', 'run-000002.json'), 'utf8'));
  expect(manifest.disks[0].verdict).toBe('incremental');
  expect(await readdir(at('vms', 'new'))).toEqual(['vda.qcow2']);
});
