// A running QEMU (a qemu-storage-daemon) beside its peers: maps beside a plain libnbd C program on the same export, reading changed
// ranges beside nbdcopy, the one transaction of `begin` on 8 disks, and what a session costs the guest's writes beside
// QEMU's own backup job.
import { spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectVm, openData } from 'qemu-cbt';
import { QmpClient } from '../dist/backend/qemu/qmp/qmpClient.js';
import { bitmapName, bitsAlternating, makeImage, PIT } from './images.mjs';
import { run, summary } from './measure.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const TiB = 2 ** 40;
const MiB = 2 ** 20;
const BLOCK = 65_536;
const DISKS = 8;
const ROUNDS = 7;

export async function liveCases(work, only = '') {
  if (!'live'.includes(only)) return [];
  const folder = join(work, 'live');
  await mkdir(folder);
  try {
    const peer = join(folder, 'map_peer');
    await run('cc', ['-O2', '-o', peer, join(here, '../native/nbd/bench/map_peer.c'), '-lnbd']);
    const rows = [];
    for (const [name, bits] of [
      ['1 TiB, 200 k extents', bitsEvery(TiB / BLOCK, 84)],
      ['1 TiB, alternating', bitsAlternating(TiB / BLOCK)],
    ])
      rows.push(await mapCase(folder, peer, name, bits));
    rows.push(...(await readCases(folder)), await beginCase(folder), ...(await writeCases(folder)));
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Every n-th block. */
function bitsEvery(count, step) {
  const bits = new Uint8Array(Math.ceil(count / 8));
  for (let i = 0; i < count; i += step) bits[i >> 3] |= 1 << (i & 7);
  return bits;
}

/** A storage daemon with these images, each exported for writing; stops with the block. */
async function withDaemon(folder, files, use) {
  const [qmp, own, nbd] = ['q', 'o', 'n'].map((name) => join(folder, name));
  const chardev = (id, path) => [
    '--chardev',
    `socket,id=${id},path=${path},server=on,wait=off`,
    '--monitor',
    `chardev=${id}`,
  ];
  const disks = Object.entries(files).flatMap(([node, filename]) => [
    '--blockdev',
    JSON.stringify({ driver: 'qcow2', 'node-name': node, file: { driver: 'file', filename } }),
  ]);
  const child = spawn('qemu-storage-daemon', [...chardev('a', qmp), ...chardev('b', own), ...disks], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    let control;
    for (let n = 0; control === undefined && n < 200; n += 1) {
      control = await QmpClient.connect(own).catch(() => undefined);
      if (control === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await control.execute('nbd-server-start', { addr: { type: 'unix', data: { path: nbd } } });
    for (const node of Object.keys(files)) {
      const options = { type: 'nbd', id: `g-${node}`, 'node-name': node, name: node, writable: true };
      await control.execute('block-export-add', options);
    }
    const vm = await connectVm(qmp, { nbdSocket: nbd });
    try {
      const begin = (mode = 'fleece') => vm.begin({ mode, nbdSocket: nbd, scratch: { folder } });
      return await use({ vm, control, nbd, begin });
    } finally {
      await vm.close();
      await control.close();
    }
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

async function clock(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** The peer reads the export that our own question is read from, made by hand: a node without data with the merged bits. */
async function mapCase(folder, peer, name, bits) {
  const file = join(folder, 'map.qcow2');
  makeImage(file, TiB, bits);
  // It has no reference counts, which only a writer needs.
  await run('qemu-img', ['check', '-q', '-r', 'all', file]);
  return withDaemon(folder, { big: file }, async ({ control, nbd, begin }) => {
    const session = await begin();
    await control.execute('blockdev-add', { driver: 'null-co', 'node-name': 'm', size: TiB });
    await control.execute('block-dirty-bitmap-add', {
      node: 'm',
      name: 'm',
      granularity: BLOCK,
      disabled: true,
    });
    const bitmaps = [{ node: 'big', name: bitmapName(TiB) }];
    await control.execute('block-dirty-bitmap-merge', { node: 'm', target: 'm', bitmaps });
    await control.execute('block-export-add', {
      type: 'nbd',
      id: 'm',
      'node-name': 'm',
      name: 'm',
      bitmaps: ['m'],
    });
    const context = 'qemu:dirty-bitmap:m';
    const disk = await session.openDisk('big');
    const [asked, peers, whole] = [[], [], []];
    let ranges = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const [seconds, count] = (await run(peer, [nbd, 'm', context])).split(' ').map(Number);
      peers.push(seconds * 1000);
      const data = await openData({ kind: 'unix', path: nbd, exportName: 'm' }, { contexts: [context] });
      const pager = data.pager(context, 'dirty');
      const window = { startBytes: 0, endBytes: TiB, maxRanges: Number.POSITIVE_INFINITY };
      asked.push(
        await clock(async () => {
          ranges = (await pager.page(window)).ranges.length / 2;
        }),
      );
      await data.close();
      if (ranges !== count) throw new Error(`${name}: we say ${ranges} ranges, the peer ${count}`);
      whole.push(
        await clock(async () => {
          const map = await (await disk.changes({ from: PIT })).ranges();
          if (map.length / 2 !== count)
            throw new Error(`${name}: ${map.length / 2} ranges, the peer ${count}`);
        }),
      );
    }
    await control.execute('block-export-del', { id: 'm', mode: 'hard' });
    await session.rollback();
    const [ours, theirs] = [summary(asked), summary(peers)];
    const ratio = ours.median / theirs.median;
    return {
      case: `live: map, ${name}`,
      ours,
      peer: theirs,
      note: `${ranges} ranges, ${ratio.toFixed(2)}×; merged, exported and read ${summary(whole).median.toFixed(0)} ms`,
      wanted: '≤ 1.2×',
      holds: ratio <= 1.2,
    };
  });
}

async function newDisk(folder, name, size) {
  const file = join(folder, `${name}.qcow2`);
  await rm(file, { force: true });
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', file, String(size)]);
  return file;
}

async function fill(nbd, exportName, bytes) {
  const data = await openData({ kind: 'unix', path: nbd, exportName });
  const piece = Buffer.alloc(4 * MiB, 0x5a);
  for (let at = 0; at < bytes; at += piece.length) await data.write(at, piece);
  await data.close();
}

async function readCases(folder) {
  const size = 1024 * MiB;
  return withDaemon(folder, { data: await newDisk(folder, 'data', size) }, async ({ vm, nbd, begin }) => {
    const { pit } = await vm.enable();
    await fill(nbd, 'data', size);
    const session = await begin();
    const ranges = await (await (await session.openDisk('data')).changes({ from: pit })).ranges();
    const uri = session.disks[0].unsafeExportUri;
    const [lent, kept, peers] = [[], [], []];
    const read = async (work) => {
      const data = await openData({ kind: 'uri', uri });
      let bytes = 0;
      const took = await clock(async () => {
        bytes = await work(data);
      });
      await data.close();
      if (bytes !== size) throw new Error(`${bytes} bytes of ${size}`);
      return took;
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      peers.push(await clock(() => run('nbdcopy', ['--connections=1', uri, 'null:'])));
      lent.push(await read((data) => data.forEachPiece(ranges, async () => undefined)));
      kept.push(
        await read(async (data) => {
          let bytes = 0;
          for await (const piece of data.stream(ranges)) bytes += piece.data.length;
          return bytes;
        }),
      );
    }
    await session.rollback();
    const peer = summary(peers);
    const row = (called, values) => {
      const ours = summary(values);
      const ratio = peer.median / ours.median;
      return {
        case: `live: read 1 GiB of changes, ${called}`,
        ours,
        peer,
        note: `${ratio.toFixed(2)}× nbdcopy`,
        ratio,
      };
    };
    const { ratio, ...fast } = row('pieces lent', lent);
    const { ratio: _, ...slow } = row('pieces kept', kept);
    return [{ ...fast, wanted: '≥ 0.9×', holds: ratio >= 0.9 }, slow];
  });
}

async function beginCase(folder) {
  const names = Array.from({ length: DISKS }, (_, i) => `d${i}`);
  const files = {};
  for (const name of names) files[name] = await newDisk(folder, name, 64 * MiB);
  return withDaemon(folder, files, async ({ vm, nbd, begin }) => {
    await vm.enable();
    for (const name of names) await fill(nbd, name, 8 * MiB);
    const transactions = [];
    const real = QmpClient.prototype.execute;
    QmpClient.prototype.execute = async function execute(command, ...rest) {
      const started = performance.now();
      const reply = await real.call(this, command, ...rest);
      if (command === 'transaction') transactions.push(performance.now() - started);
      return reply;
    };
    const [begins, commits] = [[], []];
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        let session;
        begins.push(
          await clock(async () => {
            session = await begin();
          }),
        );
        commits.push(await clock(() => session.commit()));
      }
    } finally {
      QmpClient.prototype.execute = real;
    }
    const ours = summary(transactions);
    return {
      case: `live: transaction of begin on ${DISKS} disks`,
      ours,
      note: `begin ${summary(begins).median.toFixed(0)} ms, commit ${summary(commits).median.toFixed(0)} ms`,
      wanted: '≤ 50 ms',
      holds: ours.median <= 50,
    };
  });
}

/** The guest overwrites blocks all over its disk, several at a time: alone, in a session, and under QEMU's own job. */
async function writeCases(folder) {
  const size = 512 * MiB;
  return withDaemon(
    folder,
    { data: await newDisk(folder, 'data', size) },
    async ({ vm, control, nbd, begin }) => {
      await vm.enable();
      await fill(nbd, 'data', size);
      const data = await openData({ kind: 'unix', path: nbd, exportName: 'data' });
      const blocks = size / BLOCK / 4;
      const offsets = Array.from({ length: blocks }, (_, i) => ((i * 2731) % blocks) * 4 * BLOCK);
      const piece = Buffer.alloc(BLOCK, 0x77);
      const write = () =>
        clock(async () => {
          await data.writeStream(
            offsets.map((offset) => ({ offset, data: piece })),
            { queueBytes: 16 * BLOCK },
          );
          await data.flush();
        });
      const [alone, session, overlay, job] = [[], [], [], []];
      for (let round = 0; round < 5; round += 1) {
        alone.push(await write());
        const begun = await begin();
        session.push(await write());
        await begun.rollback();
        const above = await begin('overlay');
        overlay.push(await write());
        await above.rollback();
        const scratch = await newDisk(folder, 'scratch', size);
        const file = { driver: 'file', filename: scratch };
        await control.execute('blockdev-add', { driver: 'qcow2', 'node-name': 's', file, backing: 'data' });
        await control.execute('blockdev-backup', {
          device: 'data',
          target: 's',
          sync: 'none',
          'job-id': 'j',
        });
        job.push(await write());
        const gone = control.waitEvent(
          ({ event, data: of }) => event === 'JOB_STATUS_CHANGE' && of?.id === 'j' && of.status === 'null',
        );
        await control.execute('job-cancel', { id: 'j' });
        await gone;
        await control.execute('blockdev-del', { 'node-name': 's' });
      }
      await data.close();
      const base = summary(alone).median;
      const [ours, peer] = [summary(session), summary(job)];
      return [
        {
          case: 'live: guest overwrites 128 MiB in 64 KiB blocks, in a session',
          ours,
          peer,
          note: `${(ours.median / base).toFixed(2)}× of without; QEMU's job ${(peer.median / base).toFixed(2)}×`,
        },
        {
          case: 'live: the same in a session in overlay mode',
          ours: summary(overlay),
          peer,
          note: `${(summary(overlay).median / base).toFixed(2)}× of without`,
        },
      ];
    },
  );
}
