/** The machine itself as the API shows a host: its hardware, its one pool, store and network. */

import { statfs } from 'node:fs/promises';
import { cpus, hostname, totalmem, uptime } from 'node:os';
import type { AboutInfo, ManagedObjectReference } from '../../../facade/vsphere/index.js';
import { LOCAL } from '../../../facade/vsphere/shapes.js';
import type { Reading } from '../reading.js';
import { ENTITY, pathName, WireObject } from '../wireObject.js';
import { NETWORK_NAME, PLACES } from './places.js';

/** What a host needs of the inventory. */
export interface HostSource {
  about: AboutInfo;
  /** A UUID that is this machine's; empty where it has none that may be told. */
  uuid: string;
  vms(reading: Reading): Promise<readonly ManagedObjectReference[]>;
}

const MIB = 1 << 20;

/** Thirty-two bits as the API writes them. */
const NONE = '0000:0000:0000:0000:0000:0000:0000:0000';
/** The level at which clients look for what a CPU can; bit 29 of the last word is that it runs 64-bit programs. All four words are read. */
const FEATURES = [
  { level: -2147483647, eax: NONE, ebx: NONE, ecx: NONE, edx: NONE.replace('0000:', '0010:') },
];

function hardware({ uuid }: HostSource) {
  const all = cpus();
  const hz = Math.max(1, all[0]?.speed ?? 1) * 1_000_000;
  return {
    systemInfo: { vendor: 'qemu-cbt', model: 'KVM', uuid },
    cpuInfo: { numCpuPackages: 1, numCpuCores: all.length, numCpuThreads: all.length, hz },
    memorySize: totalmem(),
    numaInfo: { type: 'none', numNodes: 1 },
    cpuFeature: FEATURES,
  };
}

function summary(source: HostSource) {
  const { about } = source;
  const all = cpus();
  return {
    host: PLACES.host,
    hardware: {
      vendor: 'qemu-cbt',
      model: 'KVM',
      uuid: source.uuid,
      memorySize: totalmem(),
      cpuModel: all[0]?.model ?? 'unknown',
      cpuMhz: Math.max(1, all[0]?.speed ?? 1),
      numCpuPkgs: 1,
      numCpuCores: all.length,
      numCpuThreads: all.length,
      numNics: 0,
      numHBAs: 0,
    },
    runtime: runtime(),
    config: { name: hostname(), port: 443, product: about, vmotionEnabled: false },
    quickStats: { overallCpuUsage: 0, overallMemoryUsage: 0, uptime: Math.floor(uptime()) },
    overallStatus: 'green',
    rebootRequired: false,
  };
}

function runtime() {
  return {
    connectionState: 'connected',
    powerState: 'poweredOn',
    standbyMode: 'none',
    inMaintenanceMode: false,
    bootTime: new Date(Date.now() - uptime() * 1000).toISOString(),
  };
}

/** Name of the host, and its domain. */
function dns() {
  const [name = 'localhost', ...domain] = hostname().split('.');
  return { dhcp: false, hostName: name, domainName: domain.join('.') };
}

/** The store and its room: that of the file system where VMs usually are. */
async function storeOf() {
  const { bsize, blocks, bavail } = await statfs('/').catch(() => ({ bsize: 0, blocks: 0, bavail: 0 }));
  return { capacity: bsize * blocks, freeSpace: bsize * bavail };
}

/** The objects, by their references. */
export function hostObjects(source: HostSource): WireObject[] {
  const vms = (reading: Reading) => source.vms(reading);
  const { datastore, network } = PLACES;
  return [
    new WireObject('ComputeResource', PLACES.compute.value, {
      ...ENTITY,
      name: () => pathName(hostname()),
      parent: () => PLACES.hostFolder,
      host: () => [PLACES.host],
      resourcePool: () => PLACES.pool,
      datastore: () => [datastore],
      network: () => [network],
      summary: () => ({
        totalCpu: cpus().length * Math.max(1, cpus()[0]?.speed ?? 1),
        totalMemory: totalmem(),
        numCpuCores: cpus().length,
        numCpuThreads: cpus().length,
        effectiveCpu: cpus().length,
        effectiveMemory: Math.floor(totalmem() / MIB),
        numHosts: 1,
        numEffectiveHosts: 1,
        overallStatus: 'green',
      }),
    }),
    new WireObject('ResourcePool', PLACES.pool.value, {
      ...ENTITY,
      name: () => 'Resources',
      parent: () => PLACES.compute,
      owner: () => PLACES.compute,
      vm: vms,
      resourcePool: () => [],
    }),
    new WireObject('HostSystem', PLACES.host.value, {
      ...ENTITY,
      name: () => pathName(hostname()),
      parent: () => PLACES.compute,
      vm: vms,
      datastore: () => [datastore],
      network: () => [network],
      runtime: () => runtime(),
      hardware: () => hardware(source),
      summary: () => summary(source),
      config: () => ({
        host: PLACES.host,
        product: source.about,
        network: { dnsConfig: dns() },
        storageDevice: { hostBusAdapter: [] },
      }),
      configManager: () => ({ autoStartManager: PLACES.autoStart }),
    }),
    // Nothing is started here by itself; clients ask without looking whether there is one to ask.
    new WireObject('HostAutoStartManager', PLACES.autoStart.value, {
      config: () => ({ defaults: { enabled: false }, powerInfo: [] }),
    }),
    new WireObject('Datastore', datastore.value, {
      ...ENTITY,
      name: () => LOCAL,
      parent: () => PLACES.datastoreFolder,
      vm: vms,
      host: () => [
        {
          key: PLACES.host,
          mountInfo: { path: '/', accessMode: 'readWrite', mounted: true, accessible: true },
        },
      ],
      info: async () => ({
        _type: 'LocalDatastoreInfo',
        name: LOCAL,
        url: 'file:///',
        freeSpace: (await storeOf()).freeSpace,
        maxFileSize: 2 ** 53 - 1,
        path: '/',
      }),
      capability: () => ({
        directoryHierarchySupported: true,
        rawDiskMappingsSupported: false,
        perFileThinProvisioningSupported: true,
      }),
      summary: async () => ({
        datastore,
        name: LOCAL,
        url: 'file:///',
        ...(await storeOf()),
        accessible: true,
        multipleHostAccess: false,
        type: 'OTHER',
        maintenanceMode: 'normal',
      }),
    }),
    new WireObject('Network', network.value, {
      ...ENTITY,
      name: () => NETWORK_NAME,
      parent: () => PLACES.networkFolder,
      host: () => [PLACES.host],
      vm: vms,
      summary: () => ({ network, name: NETWORK_NAME, accessible: true }),
    }),
  ];
}
