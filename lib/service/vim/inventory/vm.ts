/** A VM on the wire: the facade's properties, and around them what clients read of any VM. */
import type { ManagedObjectReference, VirtualMachine } from '../../../facade/vsphere/index.js';
import type { Reading } from '../reading.js';
import { ENTITY, type Properties, pathName, WireObject } from '../wireObject.js';
import { layoutWithStoreNames, namesOf, withStoreNames } from './fileNames.js';
import { guestOf, guestSummaryOf } from './guest.js';
import { PLACES } from './places.js';

/** What a VM is shared by everybody who looks at it. */
const ALLOCATION = {
  _type: 'ResourceAllocationInfo',
  reservation: 0,
  expandableReservation: false,
  limit: -1,
  shares: { _type: 'SharesInfo', shares: 1000, level: 'normal' },
};
const GUEST_ID = 'otherGuest64';
const GUEST_NAME = 'Other (64-bit)';
/** Capabilities that a backup program asks for; what has no word here is not offered. */
const CAPABILITY = {
  snapshotOperationsSupported: true,
  multipleSnapshotsSupported: true,
  snapshotConfigSupported: true,
  poweredOffSnapshotsSupported: true,
  memorySnapshotsSupported: false,
  revertToSnapshotSupported: false,
  quiescedSnapshotsSupported: true,
  disableSnapshotsSupported: false,
  lockSnapshotsSupported: false,
};

/** The facade's configuration, with what else a VM has on a host. */
function configOf({ config, name }: VirtualMachine) {
  return {
    ...config,
    hardware: { ...config.hardware, device: withStoreNames(name, config.hardware.device) },
    changeVersion: '1',
    modified: new Date(0).toISOString(),
    guestFullName: GUEST_NAME,
    guestId: GUEST_ID,
    alternateGuestName: '',
    annotation: '',
    files: {
      ...config.files,
      snapshotDirectory: folderOf(config.files.vmPathName),
      logDirectory: folderOf(config.files.vmPathName),
    },
    tools: {
      toolsVersion: 0,
      afterPowerOn: true,
      afterResume: true,
      beforeGuestStandby: true,
      beforeGuestShutdown: true,
    },
    flags: { disableAcceleration: false, enableLogging: true, useToe: false, snapshotLocked: false },
    cpuAllocation: ALLOCATION,
    memoryAllocation: ALLOCATION,
    memoryHotAddEnabled: false,
    cpuHotAddEnabled: false,
    cpuHotRemoveEnabled: false,
    bootOptions: { bootDelay: 0, enterBIOSSetup: false, efiSecureBootEnabled: false },
    firmware: 'bios',
    memoryReservationLockedToMax: false,
    nestedHVEnabled: false,
  };
}

const folderOf = (vmPathName: string): string => vmPathName.replace(/[^/]*$/, '');

/** Power and connection; one that cannot be asked is disconnected. */
async function runtimeOf(vm: VirtualMachine, reading: Reading) {
  const known = (await reading.runtime(vm)) ?? {
    connectionState: 'disconnected',
    powerState: 'poweredOff',
    consolidationNeeded: false,
  };
  return {
    host: PLACES.host,
    ...known,
    faultToleranceState: 'notConfigured',
    toolsInstallerMounted: false,
    numMksConnections: 0,
    recordReplayState: 'inactive',
    onlineStandby: false,
    maxCpuUsage: 0,
    maxMemoryUsage: 0,
  };
}

async function summaryOf(vm: VirtualMachine, reading: Reading) {
  const { vm: known } = await reading.ask(vm);
  const runtime = await runtimeOf(vm, reading);
  const config = known === null ? null : configOf(known);
  return {
    vm,
    runtime,
    guest: { guestId: GUEST_ID, guestFullName: GUEST_NAME, ...guestSummaryOf(await reading.guest(vm)) },
    config: {
      name: vm.name,
      template: false,
      ...(config !== null && {
        vmPathName: config.files.vmPathName,
        memorySizeMB: config.hardware.memoryMB,
        cpuReservation: 0,
        memoryReservation: 0,
        numCpu: config.hardware.numCPU,
        numVirtualDisks: config.hardware.device.filter(({ _type }) => _type === 'VirtualDisk').length,
        uuid: config.uuid,
        instanceUuid: config.instanceUuid,
      }),
      guestId: GUEST_ID,
      guestFullName: GUEST_NAME,
      annotation: '',
    },
    ...(known !== null && { storage: usageOf(known) }),
    quickStats: {
      overallCpuUsage: 0,
      guestMemoryUsage: 0,
      hostMemoryUsage: 0,
      guestHeartbeatStatus: 'gray',
      uptimeSeconds: 0,
    },
    overallStatus: 'green',
  };
}

function usageOf({ layoutEx, config }: VirtualMachine) {
  const committed = layoutEx.file.reduce((sum, { uniqueSize }) => sum + uniqueSize, 0);
  const provisioned = config.hardware.device.reduce(
    (sum, device) => sum + ((device as { capacityInBytes?: number }).capacityInBytes ?? 0),
    0,
  );
  return {
    committed,
    uncommitted: Math.max(0, provisioned - committed),
    unshared: committed,
    timestamp: layoutEx.timestamp,
  };
}

/** A VM of the facade as a wire object; `networks` are those that its cards are on. */
export function vmObject(vm: VirtualMachine): WireObject {
  const of =
    <T>(read: (known: VirtualMachine) => T) =>
    async (reading: Reading): Promise<T> =>
      read(await reading.require(vm));
  const properties: Properties = {
    ...ENTITY,
    name: () => pathName(vm.name),
    parent: () => PLACES.vmFolder,
    recentTask: (reading): readonly ManagedObjectReference[] => reading.tasksOf(vm),
    capability: () => ({ ...CAPABILITY, ...vm.capability }),
    config: of(configOf),
    runtime: (reading) => runtimeOf(vm, reading),
    guest: async (reading) =>
      guestOf((await runtimeOf(vm, reading)).powerState === 'poweredOn', await reading.guest(vm)),
    guestHeartbeatStatus: () => 'gray',
    summary: (reading) => summaryOf(vm, reading),
    layoutEx: of(({ layoutEx, config }) =>
      layoutWithStoreNames(layoutEx, namesOf(vm.name, config.hardware.device)),
    ),
    storage: of((known) => ({
      perDatastoreUsage: [{ datastore: vm.datastore[0], ...usageOf(known) }],
      timestamp: known.layoutEx.timestamp,
    })),
    datastore: () => vm.datastore,
    network: () => [PLACES.network],
    resourcePool: () => PLACES.pool,
    snapshot: of(({ snapshot }) => snapshot),
    rootSnapshot: of(({ snapshot }) => snapshot?.rootSnapshotList.map((root) => root.snapshot) ?? []),
  };
  return new WireObject('VirtualMachine', vm.value, properties);
}

/** A snapshot of a VM. */
export function snapshotObject(vm: VirtualMachine, value: string): WireObject {
  const find = async (reading: Reading) => (await reading.require(vm)).findSnapshot(value);
  return new WireObject('VirtualMachineSnapshot', value, {
    value: () => [],
    availableField: () => [],
    vm: () => vm,
    childSnapshot: async (reading) => (await find(reading)).childSnapshot,
    config: async (reading) => {
      const { config } = await find(reading);
      const whole = configOf(await reading.require(vm));
      return {
        ...whole,
        changeTrackingEnabled: config.changeTrackingEnabled,
        hardware: { ...whole.hardware, device: withStoreNames(vm.name, config.hardware.device) },
      };
    },
  });
}
