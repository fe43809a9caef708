/** Whatever is wrong about what a test passes to `qemu-cbt/testing`: it is refused, with the name of what is wrong. */
import { beforeAll, expect, test } from 'vitest';
import { createVm, type TestDisk, type TestVm } from '../../../lib/testing/index.js';
import { emptyList, type Row, refusals, takes, text } from '../../helpers/wrongArguments.js';

const { whole, nothing, anyObject } = takes;
const DISK = { sizeBytes: 1 << 20 };
let vm: TestVm;
let disk: TestDisk;

beforeAll(async () => {
  vm = await createVm({ disks: { a: DISK } });
  disk = vm.disk('a');
});

const within = whole(0, 1 << 20);
const rows: Record<string, () => Row> = {
  createVm: () => ({
    call: createVm,
    options: { disks: { a: DISK } },
    kinds: { disks: nothing, name: text, uuid: nothing, seed: whole(0, 2 ** 32 - 1) },
    inside: {
      disks: { put: (one) => ({ a: one }), right: DISK, kinds: { sizeBytes: whole(0), format: nothing } },
    },
  }),
  fault: () => ({
    call: (rule) => vm.fault(rule),
    options: { call: 'read' },
    kinds: {
      ...{ call: nothing, disk: text, after: whole(0), times: whole(1), happens: nothing },
      ...{ delayMs: takes.milliseconds, error: anyObject },
    },
    inside: {
      error: { right: { code: 'ERR_CBT_ABORTED' }, kinds: { code: nothing, reason: nothing, message: text } },
    },
  }),
  faultsAtRandom: () => ({
    call: (faults) => vm.faultsAtRandom(faults),
    options: { seed: 1, perThousand: 0 },
    kinds: { seed: whole(0, 2 ** 32 - 1), perThousand: whole(0, 1000), calls: emptyList },
  }),
  disk: () => ({ call: (name) => vm.disk(name), args: { disk: ['a', nothing] }, options: null }),
  write: () => ({
    call: (offset, data) => disk.write(offset, data),
    args: { offset: [0, within], data: [Buffer.alloc(1), nothing] },
    options: null,
  }),
  fill: () => ({
    call: (offset, length, value) => disk.fill(offset, length, value),
    args: { offset: [0, within], length: [1, within], value: [0, whole(0, 255)] },
    options: null,
  }),
  zero: () => ({
    call: (offset, length) => disk.zero(offset, length),
    args: { offset: [0, within], length: [1, within] },
    options: null,
  }),
  resize: () => ({
    call: (size) => disk.resize(size),
    args: { sizeBytes: [1 << 20, whole(0)] },
    options: null,
  }),
  loseBitmap: () => ({
    call: (name) => disk.loseBitmap(name),
    args: { bitmap: ['b', nothing] },
    options: null,
  }),
  addBitmap: () => ({
    call: (name, granularity) => disk.addBitmap(name, granularity),
    args: { name: ['b', text], granularityBytes: [512, (value) => value === undefined] },
    options: null,
  }),
};

test.each(Object.entries(rows))('%s', async (_, row) => {
  expect(await refusals(row())).toEqual([]);
});
