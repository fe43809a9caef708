/** Disks are shown on SCSI controllers as on a host: fifteen each, none on the controller's own unit. */
import { describe, expect, test } from 'vitest';
import {
  ParaVirtualSCSIController,
  VirtualController,
  VirtualDevice,
  VirtualDisk,
  VirtualPCIController,
} from '../../../../lib/facade/vsphere/index.js';
import { allFields } from '../../../../lib/facade/vsphere/schema/schema.js';
import { ctkOptionOf, devicesOf } from '../../../../lib/facade/vsphere/shapes.js';

const disksOf = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    disk: `vd${i}`,
    key: 2000 + i,
    fileName: `[local] /vms/${i}.qcow2`,
    capacityInBytes: 1 << 20,
    parents: ['/vms/base.qcow2', '/vms/root.qcow2'],
  }));

describe('devices', () => {
  const devices = devicesOf(disksOf(33));
  const disks = devices.filter((device) => device instanceof VirtualDisk);
  const controllers = devices.filter((device) => device instanceof ParaVirtualSCSIController);

  test('each disk has a place of its own that a disk may have', () => {
    const places = disks.map(({ controllerKey, unitNumber }) => `${controllerKey}:${unitNumber}`);
    expect(new Set(places).size).toBe(33);
    expect(disks.every(({ unitNumber }) => unitNumber !== 7 && unitNumber! <= 15)).toBe(true);
    expect(places.slice(6, 8)).toEqual(['1000:6', '1000:8']);
    expect(places.slice(14, 16)).toEqual(['1000:15', '1001:0']);
    expect([ctkOptionOf(2007), ctkOptionOf(2015)]).toEqual(['scsi0:8.ctkEnabled', 'scsi1:0.ctkEnabled']);
  });

  test('controllers list what is on them, and are on the PCI controller', () => {
    expect(controllers.map(({ key, busNumber }) => [key, busNumber])).toEqual([
      [1000, 0],
      [1001, 1],
      [1002, 2],
    ]);
    expect(controllers.flatMap(({ device }) => device)).toEqual(disks.map(({ key }) => key));
    const pci = devices.find((device) => device instanceof VirtualPCIController)!;
    expect(pci.device).toEqual(controllers.map(({ key }) => key));
    expect(controllers.every(({ controllerKey }) => controllerKey === pci.key)).toBe(true);
    expect(controllers[0]).toBeInstanceOf(VirtualController);
  });

  test('a VM without disks has a PCI controller only', () => {
    expect(devicesOf([]).map(({ _type }) => _type)).toEqual(['VirtualPCIController']);
  });

  test('each has its class, its type, and no property that its type has not', () => {
    for (const device of devices) {
      expect(device).toBeInstanceOf(VirtualDevice);
      const known = allFields(device._type).map(({ name }) => name);
      expect(Object.keys(device).filter((name) => name !== '_type' && !known.includes(name))).toEqual([]);
    }
    const { backing } = disks[0]!;
    const known = allFields(backing._type).map(({ name }) => name);
    expect(Object.keys(backing).filter((name) => name !== '_type' && !known.includes(name))).toEqual([]);
    expect(backing.parent?.parent?.fileName).toBe('[local] /vms/root.qcow2');
    expect(backing.datastore.type).toBe('Datastore');
  });
});
