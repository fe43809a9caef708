/**
 * vSphere's changed-block tracking over QEMU disks: the objects, methods, faults and changeIds that backup programs know, as plain
 * data and promises.
 */
export { Holds } from '../../host/holds.js';
export type { VmEntry } from '../../host/hostVm.js';
export * from './faultClasses.js';
export { type LocalizableMessage, MethodFault } from './methodFault.js';
export {
  type AboutInfo,
  type ConnectHostOptions,
  type ConnectOptions,
  connect,
  connectHost,
  type Datacenter,
  type Folder,
  type SearchIndex,
  type ServiceContent,
  ServiceInstance,
} from './serviceInstance.js';
export { type SnapshotOwner, VirtualMachineSnapshot } from './snapshot.js';
export { Task, type TaskInfo } from './task.js';
export type * from './types.js';
export { VirtualMachine } from './virtualMachine.js';
export type { ServiceOptions } from './vmContext.js';
