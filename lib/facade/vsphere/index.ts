/**
 * vSphere's changed-block tracking over QEMU disks: the objects, methods, faults and changeIds that backup programs know, as plain
 * data and promises.
 */
export { cleanUpVm } from './cleanUp.js';
export { type FaultName, type FaultProperties, type LocalizableMessage, VimFault } from './faults.js';
export { hold, letGo } from './hold.js';
export {
  type AboutInfo,
  type ConnectOptions,
  connect,
  type Datacenter,
  type Folder,
  type SearchIndex,
  type ServiceContent,
  ServiceInstance,
} from './serviceInstance.js';
export { VirtualMachineSnapshot } from './snapshot.js';
export { Task, type TaskInfo } from './task.js';
export type * from './types.js';
export { type ServiceOptions, VirtualMachine, type VmEntry } from './virtualMachine.js';
