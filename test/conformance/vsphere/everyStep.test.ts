/**
 * Taking and removing a snapshot × every QMP command of it: a fault or a whole outcome; whatever came of it, the next snapshot is
 * taken and removed, nothing of ours is left, and a changeId that was given out answers with all that was written since, or says full.
 */
import { readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { MethodFault } from '../../../lib/facade/vsphere/index.js';
import { atEveryStep } from '../../helpers/atEveryStep.js';
import { QMP_FAULTS, qmpFaults } from '../../helpers/qmpFaults.js';
import { enable, KIB64, pairs, pointInTime, snapshot, startVm } from './support.js';

const ALL = process.env['EVERY_STEP'] !== undefined;
/** Tasks have no signal of the caller's. */
const KINDS = QMP_FAULTS.filter((kind) => kind !== 'cancelled');

describe.each(KINDS)('%s', (kind) => {
  test.each(['CreateSnapshot_Task', 'RemoveSnapshot_Task'] as const)('%s', async (method) => {
    const { vm, daemon, folder, key } = await startVm();
    await enable(vm);
    const known = await pointInTime(vm);
    let written = 0;
    const write = async (): Promise<void> => {
      await daemon.guestIo('d', `write ${written * 128}k 64k`);
      written += 1;
    };
    const every = ALL ? 1 : 11;
    const met = await atEveryStep(
      qmpFaults(kind),
      async () => {
        await write();
        return method === 'RemoveSnapshot_Task' ? (await snapshot(vm)).taken : null;
      },
      async (taken) =>
        taken === null
          ? vm.CreateSnapshot_Task('backup', '', false, false).wait()
          : taken.RemoveSnapshot_Task(false).wait(),
      async ({ error, result }) => {
        if (error !== undefined) expect(error).toBeInstanceOf(MethodFault);
        // Who was told of a snapshot finds it; who was told of its end does not.
        const names = (await vm.context.records.read()).snapshots.length;
        if (error === undefined) expect(names).toBe(result === undefined ? 0 : 1);
        await write();
        await vm.RemoveAllSnapshots_Task().wait();
        const { taken, reference } = await snapshot(vm);
        const areas = pairs((await vm.QueryChangedDiskAreas(reference, key, 0, known)).changedArea);
        for (let n = 0; n < written; n += 1) {
          const at = n * 2 * KIB64;
          expect(areas.some(([start, length]) => start <= at && at + KIB64 <= start + length)).toBe(true);
        }
        await taken.RemoveSnapshot_Task(false).wait();
        const { control } = daemon.process;
        const nodes = (await control.execute('query-named-block-nodes')) as { 'node-name': string }[];
        expect(nodes.map((node) => node['node-name']).filter((name) => name.startsWith('cbt'))).toEqual([]);
        expect((await readdir(folder)).filter((name) => name.startsWith('cbt-'))).toEqual([]);
        expect(await vm.context.records.read()).toMatchObject({ snapshots: [], pending: [] });
        expect(await (await vm.context.holders()).read()).toMatchObject({ holder: null, changes: [] });
      },
      { every, from: 1 + ((2 * KINDS.indexOf(kind)) % every) },
    );
    expect(met).toBeGreaterThan(1);
  });
});
