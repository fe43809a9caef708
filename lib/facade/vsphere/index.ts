/**
 * vSphere's changed-block tracking over QEMU disks: the objects, methods, faults and changeIds that backup programs know, as objects
 * and promises.
 */
export type { VmEntry } from '../../host/hostVm.js';
export {
  type DataOf,
  ParaVirtualSCSIController,
  VirtualController,
  VirtualDevice,
  VirtualDisk,
  VirtualDiskFlatVer2BackingInfo,
  VirtualPCIController,
  VirtualSCSIController,
} from './devices.js';
export * from './faultClasses.js';
export { Datacenter, Folder, type ManagedEntity } from './folders.js';
export { ManagedObject } from './managedObject.js';
export { type LocalizableMessage, MethodFault } from './methodFault.js';
export type { ManagedObjectReference } from './reference.js';
export { SearchIndex } from './searchIndex.js';
export {
  type AboutInfo,
  type ConnectHostOptions,
  type ConnectOptions,
  connect,
  connectHost,
  type ServiceContent,
  ServiceInstance,
} from './serviceInstance.js';
export { type SnapshotOwner, VirtualMachineSnapshot } from './snapshot.js';
export type { VirtualMachineSnapshotInfo, VirtualMachineSnapshotTree } from './snapshotTree.js';
export { Task, type TaskInfo, type TaskSubject } from './task.js';
export type * from './types.js';
export { VirtualMachine } from './virtualMachine.js';
export type { ServiceOptions } from './vmContext.js';
