/** A call as the methods see it. */
import type { ManagedObjectReference, ServiceInstance, VirtualMachine } from '../../facade/vsphere/index.js';
import type { Role } from '../users/usersFile.js';
import type { Changes } from './collector/changes.js';
import type { Asking, Collector } from './collector/collector.js';
import type { Readers } from './folder/readers.js';
import type { WireInventory } from './inventory/inventory.js';
import type { Reading, Viewer } from './reading.js';
import type { Session, Sessions } from './sessions.js';
import type { Tasks } from './tasks.js';
import type { WireObject } from './wireObject.js';

/** What methods work on: the service, as far as they need it. */
export interface Services {
  readonly facade: ServiceInstance;
  readonly inventory: WireInventory;
  readonly sessions: Sessions;
  readonly tasks: Tasks;
  readonly changes: Changes;
  /** Disks that are being read over HTTPS. */
  readonly readers: Readers;
  /** This machine's; empty where it has none. */
  readonly hostUuid: string;
  /** An object that the viewer may see; null where there is none. */
  find(reference: ManagedObjectReference, viewer: Viewer): Promise<WireObject | null>;
  /** The same, `ManagedObjectNotFound` where there is none. */
  require(reference: ManagedObjectReference | undefined, viewer: Viewer): Promise<WireObject>;
  /** The VM that an object is, or is of. */
  requireVm(object: ManagedObjectReference, viewer: Viewer): Promise<VirtualMachine>;
  /** The default collector of a session. */
  collectorOf(session: Session): Collector;
}

/** Where a call comes from. */
export interface Caller {
  /** Of the other end. */
  address: string;
  userAgent: string;
  /** Fires when the client went away, or the service ends. */
  signal: AbortSignal;
}

/** One call of a session that may make it. */
export interface Call {
  service: Services;
  receiver: WireObject;
  /** By their names, each of its type; what was left out is absent, lists are never. */
  args: Readonly<Record<string, unknown>>;
  session: Session;
  caller: Caller;
  reading: Reading;
  asking: Asking;
}

/** A method: what its caller must be allowed, and what it does. */
export interface Handler {
  /** `read` unless given. */
  needs?: Role;
  /** Name of the privilege as the API has it, for whoever lacks it. */
  privilege?: string;
  /** Whether it changes anything outside its session. */
  changes?: boolean;
  run(call: Call): unknown;
}
export type Handlers = Readonly<Record<string, Handler>>;

/** The VM that a call is sent to. */
export async function vmOf({ service, receiver, session }: Call): Promise<VirtualMachine> {
  return service.requireVm(receiver, session);
}

/** An argument of a type that the table of methods promises. */
export function argument<T>({ args }: Call, name: string): T {
  return args[name] as T;
}

/** The same of a reference, in whose place nothing may stand. */
export function referenceArgument(call: Call, name: string): ManagedObjectReference | undefined {
  return argument<ManagedObjectReference | undefined>(call, name);
}
