/** docs/differences.md, V11. */
import { expect, test } from 'vitest';
import { ParaVirtualSCSIController, VirtualDisk } from '../../../lib/facade/vsphere/index.js';
import { devicesOf } from '../../../lib/facade/vsphere/shapes.js';

test('V11: a disk has its name in QEMU for a label, and a paravirtual controller', () => {
  const devices = devicesOf([{ disk: 'virtio0', key: 2000, fileName: '[local] /a', capacityInBytes: 1024 }]);
  const disk = devices.find((device) => device instanceof VirtualDisk)!;
  expect(disk.deviceInfo.label).toBe('virtio0');
  const controller = devices.find(({ key }) => key === disk.controllerKey);
  expect(controller).toBeInstanceOf(ParaVirtualSCSIController);
});
