/**
 * Whatever is wrong about what a caller passes, to any call of the backup program: it is refused, with the name of what is wrong, before anything is
 * begun. A new export has to be in the table.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as program from '../../../lib/backup/index.js';
import { ChangeMap } from '../../../lib/index.js';
import { createVm } from '../../../lib/testing/index.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';
import { emptyList, emptyObject, type Row, refusals, takes, text } from '../../helpers/wrongArguments.js';

const { whole, flag, callback, nothing, limit } = takes;

let folder: TemporaryFolder;
let source: program.BackupSource;
let vm: Awaited<ReturnType<Awaited<ReturnType<typeof createVm>>['connect']>>;
let map: ChangeMap;
const DATA: program.ReadableDisk = {
  info: { sizeBytes: 1 << 20 },
  read: async (_, length) => Buffer.alloc(length),
};
const to = (): string => join(folder.path, 'backups');
const target = (): program.BackupTarget => program.folderTarget(to());
const fetch = async (): Promise<Response> => new Response(null, { status: 404 });

const FOLDER = { from: text, to: text };
const RUN = {
  adopt: flag,
  as: text,
  full: flag,
  jobs: whole(1, 16),
  bytesPerSecond: limit,
  onProgress: callback,
  onDisk: callback,
  clock: callback,
  logger: nothing,
  ...FOLDER,
};
const KEEP = {
  last: whole(1),
  hourly: whole(1),
  daily: whole(1),
  weekly: whole(1),
  monthly: whole(1),
  yearly: whole(1),
  protect: emptyList,
};
const RESTORE = {
  ...FOLDER,
  pit: text,
  at: nothing,
  disk: text,
  tls: nothing,
  format: nothing,
  force: flag,
  onProgress: callback,
  logger: nothing,
  toFolder: text,
};

const rows: Record<string, () => Row> = {
  backup: () => ({
    call: program.backup,
    args: { source: [source, nothing] },
    options: { to: to() },
    kinds: RUN,
  }),
  estimate: () => ({
    call: program.estimate,
    args: { source: [source, nothing] },
    options: { to: to() },
    kinds: RUN,
  }),
  verify: () => ({ call: program.verify, options: { from: to() }, kinds: { ...RUN, depth: nothing } }),
  verifyAgainst: () => ({
    call: program.verifyAgainst,
    args: { source: [source, nothing] },
    options: { from: to() },
    kinds: RUN,
  }),
  prune: () => ({
    call: program.prune,
    options: { from: to(), rules: { last: 1 } },
    kinds: { ...RUN, rules: nothing, dryRun: flag, source: nothing },
    inside: { rules: { right: { last: 1 }, kinds: KEEP } },
  }),
  restore: () => ({
    call: program.restore,
    options: { from: to(), to: join(folder.path, 'x') },
    kinds: RESTORE,
  }),
  restoreRun: () => ({
    call: program.restoreRun,
    options: { from: to(), toFolder: join(folder.path, 'x') },
    kinds: RESTORE,
  }),
  restoreOnto: () => ({
    call: program.restoreOnto,
    options: { from: to(), onto: [{ image: join(folder.path, 'x.qcow2') }] },
    kinds: { ...RESTORE, onto: nothing, onWarning: callback, libvirts: emptyList, scratchPlaces: emptyList },
    inside: {
      onto: {
        put: (one) => [one],
        right: { image: join(folder.path, 'x.qcow2') },
        kinds: { image: text, disk: text, otherwise: text, format: nothing, trust: flag },
      },
    },
  }),
  copyFolder: () => ({
    call: program.copyFolder,
    options: { from: to(), to: join(folder.path, 'y') },
    kinds: { ...RUN, all: flag },
  }),
  listRuns: () => ({
    call: program.listRuns,
    options: { from: to() },
    kinds: { ...FOLDER, rules: nothing },
    inside: { rules: { right: { last: 1 }, kinds: KEEP } },
  }),
  checkNewest: () => ({
    call: program.checkNewest,
    options: { from: to(), maxAgeMs: 60_000 },
    kinds: { ...FOLDER, maxAgeMs: whole(1), disks: nothing, vm: text, strict: flag },
  }),
  backupToTarget: () => ({
    call: program.backupToTarget,
    args: { source: [source, nothing] },
    options: { to: target() },
    kinds: { ...RUN, to: nothing },
  }),
  restoreFromTarget: () => ({
    call: program.restoreFromTarget,
    options: { from: target(), to: join(folder.path, 'x') },
    kinds: { ...RESTORE, from: nothing },
  }),
  verifyTarget: () => ({
    call: program.verifyTarget,
    options: { from: target() },
    kinds: { ...RUN, from: nothing },
  }),
  checkMap: () => ({
    call: program.checkMap,
    options: { before: DATA, after: DATA, map },
    kinds: { before: nothing, after: nothing, map: nothing, onBytes: callback },
  }),
  folderTarget: () => ({ call: program.folderTarget, args: { path: [to(), text] }, options: null }),
  httpTarget: () => ({
    call: program.httpTarget,
    options: { url: 'http://127.0.0.1/' },
    kinds: { url: nothing, fetch: callback, list: callback, bufferBytes: whole(1) },
  }),
  s3Target: () => ({
    call: program.s3Target,
    options: { url: 'http://127.0.0.1/', fetch },
    kinds: { url: nothing, fetch: callback, prefix: text, partBytes: whole(5 << 20) },
  }),
  imagesSource: () => ({
    call: program.imagesSource,
    args: { images: [['/none'], nothing] },
    kinds: { format: nothing, trust: flag, scratchPlaces: emptyList },
  }),
  vmSource: () => ({
    call: program.vmSource,
    args: { vm: [vm, nothing] },
    kinds: { disks: nothing, quiesce: emptyObject, scratch: emptyObject, nbdSocket: text },
    inside: {
      quiesce: { kinds: { agentSocket: text, onFailure: nothing } },
      scratch: { kinds: { folder: text, limitBytes: (v) => v === Infinity || whole(65_536)(v) } },
    },
  }),
  runsToKeep: () => ({
    call: program.runsToKeep,
    args: { runs: [[], emptyList], rules: [{ last: 1 }, nothing] },
    options: null,
  }),
  'BackupFolder.read': () => ({
    call: program.BackupFolder.read,
    args: { folder: [to(), text] },
    kinds: { create: flag, known: (v) => v instanceof Map },
  }),
};

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  const machine = await createVm({ disks: { a: { sizeBytes: 1 << 20 } } });
  vm = await machine.connect();
  await vm.enable();
  source = program.vmSource(vm);
  map = await ChangeMap.from([], { disk: 'a', sizeBytes: 1 << 20 });
});
afterAll(async () => {
  await vm?.close();
  await folder?.remove();
});

test.each(Object.entries(rows))('%s', async (_, row) => {
  expect(await refusals(row())).toEqual([]);
});

test('nothing was made, and the table has every function of the subpath', async () => {
  expect(await readdir(folder.path)).toEqual([]);
  expect(await vm.disks()).toHaveLength(1);
  const functions = Object.entries(program).flatMap(([name, one]) =>
    typeof one === 'function' ? [name] : [],
  );
  expect(
    functions.filter((name) => !Object.keys(rows).some((row) => row === name || row.startsWith(`${name}.`))),
  ).toEqual([]);
});
