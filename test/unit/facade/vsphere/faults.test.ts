/** Faults are classes that inherit as the API's do, and every failure of the core is one of them. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { CbtError } from '../../../../lib/core/errors.js';
import { toFault } from '../../../../lib/facade/vsphere/faults.js';
import * as vsphere from '../../../../lib/facade/vsphere/index.js';
import { allFields, isA, TYPES } from '../../../../lib/facade/vsphere/schema/schema.js';

type FaultClass = new (message: string, properties?: object, cause?: unknown) => vsphere.MethodFault;
const classes = vsphere as unknown as Record<string, FaultClass>;
const names = [...TYPES.values()].filter(({ kind }) => kind === 'fault').map(({ name }) => name);

describe('the classes', () => {
  test('are made from what is known of the API', () => {
    const script = new URL('../../../../scripts/make-faults.mjs', import.meta.url).pathname;
    const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('are exported, each with its name, and inherit as the API’s', () => {
    expect(names.length).toBeGreaterThan(30);
    for (const name of names) {
      const fault = new classes[name]!('what', {});
      expect(fault).toMatchObject({ _type: name, msg: 'what', message: 'what' });
      for (const other of names)
        expect([other, fault instanceof classes[other]!]).toEqual([other, isA(name, other)]);
    }
  });

  test('of a host: quiescing is a matter of snapshots, a wrong argument none of VimFault', () => {
    expect(new vsphere.ApplicationQuiesceFault('')).toBeInstanceOf(vsphere.SnapshotFault);
    expect(new vsphere.InvalidPowerState('', { existingState: 'poweredOn' })).toBeInstanceOf(
      vsphere.InvalidState,
    );
    for (const runtime of [vsphere.InvalidArgument, vsphere.NotSupported, vsphere.RequestCanceled]) {
      expect(new runtime('')).toBeInstanceOf(vsphere.RuntimeFault);
      expect(new runtime('')).not.toBeInstanceOf(vsphere.VimFault);
    }
  });
});

describe('a fault', () => {
  test('has the API’s properties, its reason, and the same in JSON', () => {
    const cause = new CbtError('ERR_CBT_TRACKING_LOST', 'the bits are gone', { reason: 'CRASHED' });
    const fault = new vsphere.FileFault('Error caused by file a', { file: 'a' }, cause);
    const faultMessage = [{ key: 'qemu-cbt.CRASHED', message: 'the bits are gone' }];
    expect(fault).toMatchObject({ file: 'a', faultMessage, name: 'FileFault', cause });
    expect(fault.faultCause).toBeUndefined();
    expect(JSON.parse(JSON.stringify(fault))).toEqual({
      _type: 'FileFault',
      faultMessage,
      msg: 'Error caused by file a',
      file: 'a',
    });
  });

  test('may have a name of its own, and the fault that it comes from', () => {
    const inner = new vsphere.InvalidState('inner');
    const fault = new vsphere.InvalidName('a name has 1 to 80 characters', { name: 'long' }, inner);
    expect(fault).toMatchObject({ _type: 'InvalidName', name: 'long', faultCause: inner });
    expect(JSON.parse(JSON.stringify(fault))).toMatchObject({
      name: 'long',
      faultCause: { _type: 'InvalidState' },
    });
  });

  test('has every property that its type must have', () => {
    const fault = new vsphere.GenericVmConfigFault('what', { reason: 'why' });
    const told = JSON.parse(JSON.stringify(fault)) as object;
    for (const { name, optional } of allFields('GenericVmConfigFault'))
      expect([name, optional || name in told]).toEqual([name, true]);
  });
});

describe('what fails in the core', () => {
  test.each([
    [
      new CbtError('ERR_CBT_TRACKING_LOST', 'x', { reason: 'CRASHED' }),
      vsphere.FileFault,
      { file: 'a.vmdk' },
    ],
    [new CbtError('ERR_CBT_ABORTED', 'x'), vsphere.RequestCanceled, {}],
    [new CbtError('ERR_CBT_TIMEOUT', 'x'), vsphere.InvalidState, {}],
    [
      new CbtError('ERR_CBT_INVALID_ARGUMENT', 'x', { details: { argument: 'disks' } }),
      vsphere.InvalidArgument,
      { invalidProperty: 'disks' },
    ],
    [
      new CbtError('ERR_CBT_TIMEOUT', 'x', { reason: 'BUSY', details: { task: 'backup' } }),
      vsphere.TaskInProgress,
      { task: { type: 'Task', value: 'backup' } },
    ],
    [new Error('x'), vsphere.RuntimeFault, {}],
  ])('%s', (thrown, Fault, properties) => {
    const fault = toFault(thrown, 'a.vmdk');
    expect(fault).toBeInstanceOf(Fault);
    expect(fault).toMatchObject({ ...properties, cause: thrown });
  });
});
