/** What questions have in QEMU and beside it is never taken for what a killed one left, by whatever name and whoever looks. */
import { mkdir, readdir, realpath, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LiveMap } from '../../../../../lib/backend/qemu/live/liveMap.js';
import { QueryServer } from '../../../../../lib/backend/qemu/live/queryServer.js';
import { clearLeftQueries, findLeftQueries } from '../../../../../lib/backend/qemu/own/leftQueries.js';
import type { QmpPort } from '../../../../../lib/backend/qemu/qmp/qmpPort.js';
import { ownMark } from '../../../../../lib/linux/processMark.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const NOTHING = { exports: [], nodes: [], folders: [] };

let folder: TemporaryFolder;
let place: string;
/** What QEMU serves, and what it was told. */
let exports: string[];
let told: string[];
let whileOwned: () => Promise<void>;
let client: QmpPort;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  place = join(await realpath(folder.path), 'place');
  await mkdir(place);
  // The same folder as QEMU spells it.
  await symlink(place, join(folder.path, 'link'));
  [exports, told, whileOwned] = [[], [], async () => undefined];
  client = {
    open: true,
    host: {
      key: 'vm',
      address: 'vm',
      placeFor: async () => place,
      placesToSearch: async () => [place, join(folder.path, 'link')],
      isAnothersServer: async () => false,
      own: () => whileOwned(),
    },
    execute: async (command: string) => {
      told.push(command);
      if (command === 'query-block-exports')
        return exports.map((id) => ({ id, type: 'nbd', 'node-name': 'a', 'shutting-down': false }));
      return command.startsWith('query-') ? [] : {};
    },
  } as unknown as QmpPort;
});
afterEach(() => folder.remove());

test('the folder of a server in use has two names, by a link', async () => {
  const seat = await new QueryServer(client).join();
  expect(await clearLeftQueries(client)).toEqual([]);
  expect(await readdir(place)).toEqual([basename(dirname(seat.socket))]);
  expect(told).not.toContain('nbd-server-stop');
  await seat.leave();
  expect(await readdir(place)).toEqual([]);
});

test('a folder is in use before there is a server in it, and left when none came to be', async () => {
  const server = new QueryServer(client);
  whileOwned = async () => {
    expect(await readdir(place)).toHaveLength(1);
    expect(await clearLeftQueries(client)).toEqual([]);
    expect(await readdir(place)).toHaveLength(1);
  };
  await (await server.join()).leave();
  const no = new Error('not QEMU’s');
  whileOwned = () => Promise.reject(no);
  await expect(server.join()).rejects.toBe(no);
  expect(await readdir(place)).toEqual([]);
});

test('one whose connection was lost is left, beside one that is in use', async () => {
  await new QueryServer({ ...client, open: false }).join();
  const [left = ''] = await readdir(place);
  const { socket } = await new QueryServer(client).join();
  expect(await readdir(place)).toEqual([basename(dirname(socket))]);
  expect(socket).not.toContain(left);
});

test('the folder of a process that cannot be seen from here is not a dead one’s', async () => {
  const hash = basename(dirname((await new QueryServer(client).join()).socket)).slice(23, 31);
  const nameOf = (mark: string): string => `cbt-q-${mark}-${hash}-7-abcdef`;
  const mark = await ownMark();
  const unseen = nameOf(`${mark.startsWith('0') ? 'f' : '0'}${mark.slice(1)}`);
  const dead = nameOf(`${mark.slice(0, 8)}00000000`);
  for (const name of [unseen, dead]) await mkdir(join(place, name));
  const found = async (whose: 'dead' | 'unknown'): Promise<string[]> =>
    (await findLeftQueries(client, whose)).folders.filter((path) => dirname(path) === place);
  expect(await found('dead')).toEqual([join(place, dead)]);
  expect(await found('unknown')).toEqual([join(place, unseen)]);
  await clearLeftQueries(client);
  expect(await readdir(place)).toContain(unseen);
});

test('a question by another copy of the library ends its use of a name', async () => {
  const server = new QueryServer(client);
  vi.resetModules();
  const copy = await import('../../../../../lib/backend/qemu/live/liveMap.js');
  expect(copy.LiveMap).not.toBe(LiveMap);
  const { execute } = client;
  let id = '';
  client.execute = async (command, args) => {
    if (command !== 'block-export-add') return execute(command, args);
    ({ id } = args as { id: string });
    exports.push(id);
    expect(await findLeftQueries(client)).toEqual(NOTHING);
    // It is there for a moment longer than the question can wait.
    exports.pop();
    throw new Error('refused');
  };
  await expect(copy.LiveMap.ofNode(client, server, 'a', false)).rejects.toThrow('refused');
  exports.push(id);
  expect(await findLeftQueries(client)).toEqual({ ...NOTHING, exports: [id] });
});
