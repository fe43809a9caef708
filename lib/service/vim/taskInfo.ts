/** What a client is shown of a task: the facade's, by the one who began it over the wire. */
import type { ManagedObjectReference, TaskInfo } from '../../facade/vsphere/index.js';

/** What a client is shown of a task. */
export type WireTaskInfo = Omit<TaskInfo<unknown>, 'task'> & {
  _type: 'TaskInfo';
  task: ManagedObjectReference;
};
