/** References of the objects that every host has. */
import type { ManagedObjectReference } from '../../../facade/vsphere/index.js';

const reference = (type: string, value: string): ManagedObjectReference => ({ type, value });

export const PLACES = {
  root: reference('Folder', 'ha-folder-root'),
  datacenter: reference('Datacenter', 'ha-datacenter'),
  vmFolder: reference('Folder', 'ha-folder-vm'),
  hostFolder: reference('Folder', 'ha-folder-host'),
  datastoreFolder: reference('Folder', 'ha-folder-datastore'),
  networkFolder: reference('Folder', 'ha-folder-network'),
  compute: reference('ComputeResource', 'ha-compute-res'),
  pool: reference('ResourcePool', 'ha-root-pool'),
  host: reference('HostSystem', 'ha-host'),
  datastore: reference('Datastore', 'ds-local'),
  autoStart: reference('HostAutoStartManager', 'ha-autostart-mgr'),
  network: reference('Network', 'net-vm'),
} as const;

/** What clients call the one network. */
export const NETWORK_NAME = 'VM Network';

/** What the service itself consists of; clients find them in its content. */
export const SERVICE = {
  instance: reference('ServiceInstance', 'ServiceInstance'),
  collector: reference('PropertyCollector', 'ha-property-collector'),
  views: reference('ViewManager', 'ViewManager'),
  options: reference('OptionManager', 'HostAgentSettings'),
  sessions: reference('SessionManager', 'ha-sessionmgr'),
  authorization: reference('AuthorizationManager', 'ha-authmgr'),
  events: reference('EventManager', 'ha-eventmgr'),
  tasks: reference('TaskManager', 'ha-taskmgr'),
  performance: reference('PerformanceManager', 'ha-perfmgr'),
  licenses: reference('LicenseManager', 'ha-license-manager'),
  search: reference('SearchIndex', 'ha-searchindex'),
  files: reference('FileManager', 'ha-nfc-file-manager'),
} as const;
