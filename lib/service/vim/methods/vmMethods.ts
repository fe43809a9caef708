/** Methods of VMs and of their snapshots: those of the facade, and their tasks. */
import { NotSupported, type Task, type VirtualMachine } from '../../../facade/vsphere/index.js';
import type {
  VirtualMachineConfigSpec,
  VirtualMachineGuestQuiesceSpec,
} from '../../../facade/vsphere/types.js';
import { argument, type Call, type Handler, type Handlers, referenceArgument, vmOf } from '../call.js';
import type { ReadObject } from '../soap/readValue.js';

/** A method that begins a task of a VM. */
function begins(
  privilege: string,
  run: (vm: VirtualMachine, call: Call) => Task<unknown> | Promise<Task<unknown>>,
): Handler {
  return {
    needs: 'backup',
    privilege,
    changes: true,
    async run(call) {
      const vm = await vmOf(call);
      return call.service.tasks.add(await run(vm, call), vm, call.session);
    },
  };
}

const STATE = 'VirtualMachine.State';

/** One that ends snapshots. */
function ends(run: (vm: VirtualMachine, call: Call) => Task<unknown> | Promise<Task<unknown>>): Handler {
  return begins(`${STATE}.RemoveSnapshot`, async (vm, call) => {
    // Whoever reads its content has it open.
    await call.service.readers.closeOf(vm.value);
    return run(vm, call);
  });
}

/** What stands in a specification: lists without members are none. */
function given(spec: ReadObject): VirtualMachineConfigSpec {
  const said = Object.entries(spec).filter(
    ([name, value]) => name !== '_type' && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(said);
}

/** The memory of a VM that is off is nothing; of one that runs it is not kept here. */
async function wantsMemory(vm: VirtualMachine, call: Call): Promise<boolean> {
  if (!argument<boolean>(call, 'memory')) return false;
  const { runtime } = await call.reading.require(vm);
  return runtime.powerState !== 'poweredOff';
}

/** By `<type>.<method>`. */
export const VM_METHODS: Handlers = {
  'VirtualMachine.ReconfigVM_Task': begins('VirtualMachine.Config.ChangeTracking', (vm, call) =>
    vm.ReconfigVM_Task(given(argument(call, 'spec'))),
  ),
  'VirtualMachine.CreateSnapshot_Task': begins(`${STATE}.CreateSnapshot`, async (vm, call) =>
    vm.CreateSnapshot_Task(
      argument(call, 'name'),
      argument(call, 'description'),
      await wantsMemory(vm, call),
      argument(call, 'quiesce'),
    ),
  ),
  'VirtualMachine.CreateSnapshotEx_Task': begins(`${STATE}.CreateSnapshot`, async (vm, call) =>
    vm.CreateSnapshotEx_Task(
      argument(call, 'name'),
      argument(call, 'description'),
      await wantsMemory(vm, call),
      argument<VirtualMachineGuestQuiesceSpec | undefined>(call, 'quiesceSpec'),
    ),
  ),
  'VirtualMachine.RemoveAllSnapshots_Task': ends((vm) => vm.RemoveAllSnapshots_Task()),
  'VirtualMachine.ConsolidateVMDisks_Task': begins(`${STATE}.RemoveSnapshot`, (vm) =>
    vm.ConsolidateVMDisks_Task(),
  ),
  'VirtualMachine.RevertToCurrentSnapshot_Task': begins(`${STATE}.RevertToSnapshot`, (vm) =>
    vm.RevertToCurrentSnapshot_Task(),
  ),
  'VirtualMachine.QueryChangedDiskAreas': {
    needs: 'backup',
    privilege: 'VirtualMachine.Provisioning.DiskRandomRead',
    run: async (call) =>
      (await vmOf(call)).QueryChangedDiskAreas(
        referenceArgument(call, 'snapshot'),
        argument(call, 'deviceKey'),
        argument(call, 'startOffset'),
        argument(call, 'changeId'),
      ),
  },
  'VirtualMachineSnapshot.RemoveSnapshot_Task': ends(async (vm, call) =>
    (await vm.findSnapshot(call.receiver)).RemoveSnapshot_Task(argument(call, 'removeChildren')),
  ),
  'VirtualMachineSnapshot.RevertToSnapshot_Task': begins(`${STATE}.RevertToSnapshot`, async (vm, call) =>
    (await vm.findSnapshot(call.receiver)).RevertToSnapshot_Task(),
  ),
  'VirtualMachineSnapshot.RenameSnapshot': {
    needs: 'backup',
    privilege: `${STATE}.RenameSnapshot`,
    changes: true,
    async run(call) {
      const snapshot = await (await vmOf(call)).findSnapshot(call.receiver);
      await snapshot.RenameSnapshot(argument(call, 'name'), argument(call, 'description'));
      call.service.changes.tell();
    },
  },
  'Task.CancelTask': {
    needs: 'backup',
    privilege: 'Task.Cancel.TaskCancel',
    changes: true,
    run({ service, receiver }) {
      const task = service.tasks.task(receiver.value);
      if (task === null) throw new NotSupported('this task has ended long ago');
      task.CancelTask();
    },
  },
};
