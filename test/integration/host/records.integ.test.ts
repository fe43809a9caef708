/** The records of VMs: numbers given out once, by any number of processes, killed whenever; and what an earlier version left. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { HoldStore } from '../../../lib/host/holdStore.js';
import { beginChange } from '../../../lib/host/holds.js';
import { RecordStore } from '../../../lib/host/recordStore.js';
import { keyOf } from '../../../lib/host/vmRecord.js';
import { pathWithoutLinks } from '../../../lib/linux/pathWithoutLinks.js';
import { freshBuild } from '../../helpers/builtCommand.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const built = resolve(import.meta.dirname, '../../../dist');
let folder: TemporaryFolder;
let state: string;

beforeAll(freshBuild);
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  state = join(folder.path, 'state');
  return () => folder.remove();
});

/** A process that draws for these VMs in this order; what it said by its end, killed after so many VMs or by itself. */
async function draw(
  names: readonly string[],
  killAfter = Number.POSITIVE_INFINITY,
): Promise<Map<string, number>> {
  const argv = [join(import.meta.dirname, 'drawsIds.mjs'), built, state, ...names];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (said.split('\n').length > killAfter) child.kill('SIGKILL');
  });
  await once(child, 'close');
  if (killAfter === Number.POSITIVE_INFINITY) expect(child.exitCode).toBe(0);
  const lines = said.split('\n').slice(0, -1);
  return new Map(lines.map((line) => line.split(' ')).map(([name = '', id]) => [name, Number(id)]));
}

const storeOf = (name: string): RecordStore => new RecordStore(state, name);
const names = Array.from({ length: 12 }, (_, index) => `vm${index}`);

describe('the number of a VM', () => {
  test('is one in every process, and no other VM has it, also when several draw at once', async () => {
    const drawn = await Promise.all([draw(names), draw([...names].reverse()), draw(names.slice(6))]);
    const [first] = drawn;
    expect(first!.size).toBe(names.length);
    expect(new Set(first!.values()).size).toBe(names.length);
    for (const other of drawn)
      for (const [name, id] of other) expect([name, id]).toEqual([name, first!.get(name)]);
    // And without one lost, where nobody was killed.
    expect([...first!.values()].sort((a, b) => a - b)).toEqual(names.map((_, index) => index + 1));
  });

  test('stays when processes are killed while they draw', async () => {
    const known = new Map<string, number>();
    for (let round = 1; round <= 4; round += 1) {
      const told = await Promise.all([draw(names, 2 * round), draw([...names].reverse(), 2 * round - 1)]);
      for (const one of told)
        for (const [name, id] of one) {
          expect([name, known.get(name) ?? id]).toEqual([name, id]);
          known.set(name, id);
        }
    }
    const last = await draw(names);
    for (const [name, id] of known) expect([name, last.get(name)]).toEqual([name, id]);
    expect(new Set(last.values()).size).toBe(names.length);
  });

  test('goes on after the highest that is known where the count is lost; a damaged count is refused', async () => {
    for (const name of ['a', 'b', 'c']) await storeOf(name).id();
    await rm(join(state, 'vm-ids.json'));
    expect(await storeOf('d').id()).toBe(4);
    await writeFile(join(state, 'vm-ids.json'), '{"version":1,"next":0}');
    await expect(storeOf('e').id()).rejects.toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      message: expect.stringMatching(/vm-ids\.json is damaged/),
    });
    expect(await storeOf('b').id()).toBe(2);
  });
});

describe('a record of an earlier version', () => {
  /** As version 0.1 wrote it. */
  const left = {
    version: 1,
    nextSnapshot: 5,
    nextKey: 2002,
    keys: { d: 2000, e: 2001 },
    snapshots: [
      {
        id: 4,
        name: 'backup',
        description: '',
        createTime: '2026-11-01T00:00:00.000Z',
        quiesced: false,
        session: '21111111-2222-4333-8444-555555555555',
        tracked: true,
        disks: [
          {
            disk: 'd',
            key: 2000,
            fileName: '[local] /d.qcow2',
            capacityInBytes: 1024,
            instant: {
              epoch: '11111111-2222-4333-8444-555555555555',
              sequence: 3,
              pit: '21111111-2222-4333-8444-555555555555',
            },
          },
        ],
      },
    ],
    uuid: '31111111-2222-4333-8444-555555555555',
  };

  test('goes on with its numbers, keys and snapshots, and gets the VM its own', async () => {
    await mkdir(state);
    const file = join(state, 'web-4b5e57f6.json');
    await writeFile(file, JSON.stringify({ ...left, holder: null, changes: [], pending: [] }));
    const store = new RecordStore(state, 'web');
    expect(await store.read()).toMatchObject(left);
    const id = await store.id();
    await store.update((record) => expect(keyOf(record, 'f')).toBe(2002));
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      ...left,
      id,
      nextKey: 2003,
      keys: { f: 2002 },
    });
  });
});

describe('who holds a VM', () => {
  test('is kept by its monitor, by whatever links that is reached, also while no socket is there', async () => {
    const sockets = join(folder.path, 'sockets');
    await mkdir(sockets);
    await symlink(sockets, join(folder.path, 'run'));
    await symlink('web.qmp', join(sockets, 'link.qmp'));
    const of = (socket: string): string => pathWithoutLinks(join(folder.path, socket));
    for (const socket of ['run/web.qmp', 'sockets/link.qmp', 'run/link.qmp', 'run/../sockets/web.qmp'])
      expect(of(socket)).toBe(of('sockets/web.qmp'));
    expect(of('run/mail.qmp')).not.toBe(of('run/web.qmp'));
    const missing = of('run/later/web.qmp');
    await mkdir(join(sockets, 'later'));
    expect(of('run/later/web.qmp')).toBe(missing);
  });

  test('leaves no file behind when nobody does', async () => {
    const holds = new HoldStore('/run/vms/web.qmp', { folder: state });
    const over = await beginChange(holds, 'backup');
    expect((await holds.read()).changes).toMatchObject([{ task: 'backup', owner: { pid: process.pid } }]);
    const second = await beginChange(holds, 'forget');
    await second();
    await over();
    expect(await readdir(state)).toEqual([]);
  });
});
