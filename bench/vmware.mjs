// The VMware surfaces beside what they stand on: QueryChangedDiskAreas against the core's own map of a live disk, VixDiskLib's reads
// against nbdcopy on the same export. A qemu-storage-daemon is the running QEMU. nbdcopy goes from end to end as it likes best (its
// default of four connections and 64 requests, where we have one connection) and throws the bytes away; ours end in ordinary buffers
// of the caller, each read checked against its session, and the scattered ones in an order that nbdcopy cannot do.
import { execFile, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { connectVm, openData } from 'qemu-cbt';
import * as vix from 'qemu-cbt/vixdisklib';
import { connect } from 'qemu-cbt/vsphere';
import { QmpClient } from '../dist/backend/qemu/qmp/qmpClient.js';
import { summary, timed } from './measure.mjs';

const exec = promisify(execFile);
const TiB = 2 ** 40;
const MiB = 2 ** 20;
const AREAS = 200_000;
const DATA = 1024 * MiB;
const READ = 2 * MiB;

export async function vmwareCases(work, only = '') {
  if (!'vmware'.includes(only)) return [];
  const folder = join(work, 'vmware');
  await mkdir(folder);
  const daemon = await start(folder);
  try {
    const entry = {
      name: 'vm',
      qmpSocket: daemon.qmp,
      nbdSocket: daemon.nbd,
      scratchFolder: folder,
      allowUnwatchedScratch: true,
    };
    const serviceOf = (disks) => connect({ stateFolder: join(folder, 'state'), vms: [{ ...entry, disks }] });
    const service = serviceOf(['big', 'data']);
    const vm = await service.findVm('vm');
    await vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
    const changeId = vm.config.hardware.device.find(({ deviceInfo }) => deviceInfo.label === 'big').backing
      .changeId;
    await scatter(daemon.nbd);
    const snapshot = await vm.CreateSnapshot_Task('bench', '', false, false).wait();
    const rows = [
      await queryCase(vm, snapshot, changeId, daemon),
      ...(await readCases(service, snapshot)),
      await roundsCase(serviceOf(['data']), snapshot, daemon),
    ];
    await vm.RemoveAllSnapshots_Task().wait();
    return rows;
  } finally {
    await daemon.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function start(folder) {
  const [qmp, nbd] = [join(folder, 'q'), join(folder, 'n')];
  const disks = [];
  for (const [name, size] of [
    ['big', TiB],
    ['data', DATA],
  ]) {
    const file = join(folder, `${name}.qcow2`);
    await exec('qemu-img', ['create', '-q', '-f', 'qcow2', file, String(size)]);
    disks.push(
      '--blockdev',
      JSON.stringify({
        driver: 'qcow2',
        'node-name': name,
        file: { driver: 'file', filename: file, cache: { direct: false } },
      }),
    );
  }
  const child = spawn(
    'qemu-storage-daemon',
    ['--chardev', `socket,id=c,path=${qmp},server=on,wait=off`, '--monitor', 'chardev=c', ...disks],
    { stdio: 'inherit' },
  );
  let client;
  for (let n = 0; client === undefined && n < 200; n += 1) {
    client = await QmpClient.connect(qmp).catch(() => undefined);
    if (client === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await client.execute('nbd-server-start', { addr: { type: 'unix', data: { path: nbd } } });
  for (const node of ['big', 'data'])
    await client.execute('block-export-add', {
      type: 'nbd',
      id: `g-${node}`,
      'node-name': node,
      name: node,
      writable: true,
    });
  await client.close();
  const data = await openData({ kind: 'unix', path: nbd, exportName: 'data' });
  const piece = Buffer.alloc(4 * MiB, 0x5a);
  for (let at = 0; at < DATA; at += piece.length) await data.write(at, piece);
  await data.close();
  const stop = async () => {
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
  };
  return { qmp, nbd, stop };
}

/** 200 000 areas far from each other; zeros, which cost no space. */
async function scatter(nbd) {
  const big = await openData({ kind: 'unix', path: nbd, exportName: 'big' });
  const ranges = new Float64Array(2 * AREAS);
  for (let i = 0; i < AREAS; i += 1)
    ranges.set([Math.floor((i * TiB) / AREAS / 65536) * 65536, 65536], 2 * i);
  for (let at = 0; at < ranges.length; at += 2000) await big.zero(ranges.subarray(at, at + 2000));
  await big.close();
}

async function queryCase(vm, snapshot, changeId, { qmp, nbd }) {
  const { key } = vm.config.hardware.device.find(({ deviceInfo }) => deviceInfo.label === 'big');
  const ours = await timed(() => vm.QueryChangedDiskAreas(snapshot, key, 0, changeId), {
    runs: 7,
    consume: ({ changedArea }) => expectCount(changedArea.length),
  });
  const core = await timed(
    async () => {
      const connected = await connectVm(qmp, { nbdSocket: nbd });
      const disk = await connected.openDisk('big');
      const ranges = await (await disk.changes({ from: changeId, to: snapshot.session })).ranges();
      await disk.close();
      await connected.close();
      return ranges;
    },
    { runs: 7, consume: (ranges) => expectCount(ranges.length / 2) },
  );
  const ratio = ours.median / core.median;
  return {
    case: 'vmware: QueryChangedDiskAreas, live 1 TiB, 200 k areas',
    ours,
    peer: core,
    note: `${ratio.toFixed(2)}× the core's own map`,
    wanted: '≤ 1.3×',
    holds: ratio <= 1.3,
  };
}

function expectCount(count) {
  if (count !== AREAS) throw new Error(`${count} areas, expected ${AREAS}`);
}

async function readCases(service, snapshot) {
  vix.VixDiskLib_InitEx(8, 0, null, null, null, null, null);
  vix.configureVixDiskLib({ service });
  const connection = vix.ref();
  must(await vix.VixDiskLib_ConnectEx({ vmxSpec: 'vm' }, true, snapshot._moId, null, connection));
  const disk = snapshot.config.hardware.device.find(({ deviceInfo }) => deviceInfo.label === 'data');
  const handle = vix.ref();
  must(
    await vix.VixDiskLib_Open(
      connection.value,
      disk.backing.fileName,
      vix.VIXDISKLIB_FLAG_OPEN_READ_ONLY,
      handle,
    ),
  );
  const uri = connection.value.remote.content.session.disks.find(
    (one) => one.disk === disk.deviceInfo.label,
  ).unsafeExportUri;
  const places = Array.from({ length: DATA / READ }, (_, i) => i * READ);
  const rows = [];
  for (const [name, order, read] of [
    ['Read, sequential', places, readOneByOne],
    ['Read, scattered', shuffled(places), readOneByOne],
    ['ReadAsync, sequential', places, readAll],
    ['ReadAsync, scattered', shuffled(places), readAll],
  ]) {
    const ours = [];
    const peers = [];
    // Taken in turns, so that whatever else the machine does meets both.
    for (let i = 0; i < 7; i += 1) {
      ours.push(await clock(() => read(handle.value, order)));
      peers.push(await clock(() => exec('nbdcopy', [uri, 'null:'])));
    }
    const [a, b] = [summary(ours), summary(peers)];
    const ratio = b.median / a.median;
    rows.push({
      case: `vmware: VixDiskLib_${name}, 1 GiB by 2 MiB`,
      ours: a,
      peer: b,
      note: `${ratio.toFixed(2)}× nbdcopy`,
      wanted: '≥ 0.85×',
      holds: ratio >= 0.85,
    });
  }
  must(await vix.VixDiskLib_Disconnect(connection.value));
  return rows;
}

const ROUNDS = 10_000;
const FEW = 500;

/** Connect, open, read a little, close: nothing may be left of a round. Counted after a few, when every pool has its size. */
async function roundsCase(service, snapshot, { qmp }) {
  vix.configureVixDiskLib({ service });
  // As in a program that uses the VM all the time: connecting anew to QEMU each time would be most of a round.
  const kept = await connectVm(qmp);
  for (let i = 0; i < FEW; i += 1) await round(snapshot);
  const before = held();
  const started = performance.now();
  for (let i = 0; i < ROUNDS; i += 1) await round(snapshot);
  const ms = performance.now() - started;
  const after = held();
  await kept.close();
  const grown = (after.rss - before.rss) / MiB;
  const files = after.files - before.files;
  return {
    case: `vmware: ${ROUNDS} rounds of ConnectEx, Open, Read, Close`,
    note: `${(ms / ROUNDS).toFixed(1)} ms a round; ${before.files} to ${after.files} descriptors, ${grown.toFixed(1)} MiB more`,
    wanted: 'no descriptor, ≤ 16 MiB',
    holds: files <= 0 && grown <= 16,
  };
}

async function round(snapshot) {
  const connection = vix.ref();
  must(await vix.VixDiskLib_ConnectEx({ vmxSpec: 'vm' }, true, snapshot._moId, null, connection));
  const handle = vix.ref();
  must(await vix.VixDiskLib_Open(connection.value, 'data', vix.VIXDISKLIB_FLAG_OPEN_READ_ONLY, handle));
  must(await vix.VixDiskLib_Read(handle.value, 0, 128, Buffer.alloc(65536)));
  must(await vix.VixDiskLib_Close(handle.value));
  must(await vix.VixDiskLib_Disconnect(connection.value));
}

/** Memory and descriptors of this process, with as little garbage as can be. */
function held() {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  for (let i = 0; i < 3; i += 1) collect();
  return { rss: process.memoryUsage.rss(), files: readdirSync('/proc/self/fd').length };
}

/** The plain loop of most programs: one call at a time, into one buffer. */
async function readOneByOne(handle, order) {
  const buffer = Buffer.alloc(READ);
  for (const at of order) {
    const sector = at / vix.VIXDISKLIB_SECTOR_SIZE;
    must(await vix.VixDiskLib_Read(handle, sector, READ / vix.VIXDISKLIB_SECTOR_SIZE, buffer));
  }
}

/** As a backup program does that wants speed: several asynchronous reads on their way, each into a buffer of its own. */
async function readAll(handle, order) {
  const buffers = Array.from({ length: 8 }, () => Buffer.alloc(READ));
  let next = 0;
  const lane = async (buffer) => {
    while (next < order.length) {
      const at = order[next];
      next += 1;
      const result = await new Promise((resolve) => {
        const sector = at / vix.VIXDISKLIB_SECTOR_SIZE;
        vix.VixDiskLib_ReadAsync(
          handle,
          sector,
          READ / vix.VIXDISKLIB_SECTOR_SIZE,
          buffer,
          (_, code) => resolve(code),
          null,
        );
      });
      must(result);
    }
  };
  await Promise.all(buffers.map(lane));
}

async function clock(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

function shuffled(list) {
  let seed = 1;
  return list
    .map((value) => {
      seed = (seed * 48271) % 2147483647;
      return [seed, value];
    })
    .sort(([a], [b]) => a - b)
    .map(([, value]) => value);
}

function must(code) {
  if (code !== vix.VIX_OK) throw new Error(vix.VixDiskLib_GetErrorText(code));
}
