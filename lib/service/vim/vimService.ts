/**
 * The vSphere API as a service: a request's text goes in, an answer's text comes out. Objects, methods and faults are the facade's;
 * here is who may call them, by which session, and the objects that only a wire has.
 */
import { objectNotFound, toFault } from '../../facade/vsphere/faults.js';
import {
  InvalidLogin,
  type ManagedObjectReference,
  MethodFault,
  NotAuthenticated,
  type ServiceInstance,
  type VirtualMachine,
} from '../../facade/vsphere/index.js';
import type { Method } from '../../facade/vsphere/schema/schema.js';
import { Guessing } from '../users/guessing.js';
import { maySee, type User } from '../users/usersFile.js';
import { Verified } from '../users/verified.js';
import type { Call, Caller, Services } from './call.js';
import { Changes } from './collector/changes.js';
import type { Collector } from './collector/collector.js';
import type { FilterSpec } from './collector/select.js';
import { contentObjects, serviceContent } from './contentObjects.js';
import { after, before } from './faults/applyFaults.js';
import type { Effect, FaultRules } from './faults/faultRules.js';
import type { FolderServices } from './folder/folderRoute.js';
import { Readers } from './folder/readers.js';
import { FETCH, handlerOf, methodNamed, methodOf, requireRight, typeOfResult } from './handlers.js';
import { WireInventory } from './inventory/inventory.js';
import { SERVICE } from './inventory/places.js';
import { CollectorObject } from './methods/collectorMethods.js';
import { Reading, type Viewer } from './reading.js';
import { type Session, Sessions } from './sessions.js';
import { type Request, readRequest, writeAnswer, writeFault } from './soap/envelope.js';
import { readFields } from './soap/readValue.js';
import { ValueWriter } from './soap/writeValue.js';
import type { TaskStore } from './taskRecords.js';
import { Tasks } from './tasks.js';
import type { WireObject } from './wireObject.js';

/** What was called, for the log: never with arguments. */
export interface CallNote {
  method: string;
  object: string;
  user: string | null;
  address: string;
  ms: number;
  /** Name of the fault it ended with; null for one that did not. */
  fault: string | null;
  message: string | null;
  /** Whether it changes anything. */
  changes: boolean;
}

export interface VimOptions {
  /** Those that there are now. */
  users: () => Promise<readonly User[]>;
  hostUuid?: string;
  idleMs?: number;
  /** A clock in milliseconds. */
  now?: () => number;
  note?: (note: CallNote) => void;
  /** Where tasks are remembered; they end with the service unless given. */
  taskStore?: TaskStore;
  /** Told where a task could not be remembered. */
  onTaskFailure?: (error: Error) => void;
  /** What goes wrong on purpose, in the simulator. */
  faults?: FaultRules;
}

/** What goes back over HTTP. */
export interface Answer {
  status: 200 | 500;
  /** The cookie of a new session. */
  cookie: string | null;
  pieces: Iterable<string>;
  /** Whether it ends in the middle, with the connection. */
  breaksOff?: boolean;
}

/** The service of one facade. */
export class VimService implements Services, FolderServices {
  readonly sessions: Sessions;
  readonly changes = new Changes();
  readonly tasks: Tasks;
  readonly readers = new Readers();
  readonly hostUuid: string;
  readonly #options: VimOptions;
  readonly #guessing = new Guessing();
  readonly #verified: Verified;
  readonly #writer = new ValueWriter();
  readonly #collectors = new WeakMap<Session, CollectorObject>();
  readonly facade: ServiceInstance;
  readonly inventory: WireInventory;
  readonly #content: ReadonlyMap<string, WireObject>;

  constructor(facade: ServiceInstance, options: VimOptions) {
    this.#options = options;
    this.hostUuid = options.hostUuid ?? '';
    this.#verified = new Verified(options.now);
    this.sessions = new Sessions(options.idleMs, options.now);
    this.tasks = new Tasks(this.changes, options.taskStore, options.onTaskFailure);
    this.facade = facade;
    this.inventory = new WireInventory(facade, this.hostUuid);
    this.#content = new Map(contentObjects(facade, this).map((object) => [object.value, object]));
  }

  /** The rules of the simulator; null for a service that is none. */
  get faults(): FaultRules | null {
    return this.#options.faults ?? null;
  }

  /** Reads the host file again; sessions and tasks go on, and so does what was read before where the file has an error. */
  async reload(): Promise<void> {
    await this.facade.reload();
    this.changes.tell();
  }

  /** Ends the sessions of users that are not the same any more. */
  async endChanged(): Promise<void> {
    const now = await this.#options.users();
    this.#verified.keepOnly(now);
    const users = new Map(now.map((user) => [user.name, JSON.stringify(user)]));
    for (const session of this.sessions.all)
      if (users.get(session.user.name) !== JSON.stringify(session.user)) this.sessions.end(session);
    this.changes.tell();
  }

  /** Ends every session, asks tasks to stop, and returns when they have. */
  async stop(): Promise<void> {
    this.sessions.endAll();
    this.changes.tell();
    await this.readers.closeOf();
    await this.tasks.stop();
  }

  /** Answers one request. Never throws: every failure is a fault. */
  async answer(text: string, cookie: string | null, caller: Caller): Promise<Answer> {
    const began = performance.now();
    let request: Request | null = null;
    const session = this.sessions.find(cookie);
    const note = (fault: MethodFault | null, user: string | null, changes: boolean): void =>
      this.#options.note?.({
        method: request?.method ?? '',
        object: request?.receiver.value ?? '',
        user,
        address: caller.address,
        ms: Math.round(performance.now() - began),
        fault: fault?._type ?? null,
        message: fault?.message ?? null,
        changes,
      });
    try {
      request = readRequest(text, session !== null);
      const met = await this.#meet(request, session, caller);
      const {
        method,
        value,
        cookie: made = null,
        user,
        changes = false,
      } = await this.#perform(request, session?.ended.aborted === true ? null : session, caller);
      const answer = after(met, value);
      const pieces = begun(writeAnswer(this.#writer, request.method, typeOfResult(method), answer));
      note(null, user ?? session?.user.name ?? null, changes);
      return { status: 200, cookie: made, pieces, breaksOff: met.some(({ kind }) => kind === 'close') };
    } catch (thrown) {
      const fault = thrown instanceof MethodFault ? thrown : toFault(thrown);
      note(fault, session?.user.name ?? null, false);
      return { status: 500, cookie: null, pieces: [writeFault(this.#writer, fault)] };
    }
  }

  /** What the call meets by the rules, done as far as that is before it. */
  async #meet({ method, receiver }: Request, session: Session | null, { signal }: Caller): Promise<Effect[]> {
    const { faults } = this;
    const met = faults?.next(method) ?? [];
    if (faults === null || met.length === 0) return met;
    const vm = session === null ? null : await this.requireVm(receiver, session).catch(() => null);
    await before(met, faults, this.sessions, { receiver, session, vm: vm?.name ?? null, signal });
    return met;
  }

  async #perform(
    request: Request,
    session: Session | null,
    caller: Caller,
  ): Promise<{ method: Method; value: unknown; cookie?: string; user?: string; changes?: boolean }> {
    const { method: name, receiver, parts } = request;
    const free = await this.#withoutSession(request, session, caller);
    if (free !== null) return free;
    if (session === null)
      throw new NotAuthenticated('there is no session of this cookie: log in', {
        object: receiver,
        privilegeId: 'System.View',
      });
    session.touch();
    session.callCount += 1;
    const object = await this.require(receiver, session);
    const method = methodOf(object, name);
    const { values } = readFields(method.parameters, parts, '');
    const handler = handlerOf(method);
    requireRight(handler, session, object);
    const signal = AbortSignal.any([caller.signal, session.ended]);
    const reading = this.#reading(session);
    const call: Call = {
      service: this,
      receiver: object,
      args: values,
      session,
      caller,
      reading,
      asking: {
        find: (reference) => this.find(reference, session),
        reading: () => this.#reading(session),
        changes: this.changes,
        signal,
      },
    };
    session.pending += 1;
    try {
      const value = await handler.run(call);
      return {
        method,
        value: method.result === 'void' ? undefined : value,
        changes: handler.changes ?? false,
      };
    } finally {
      session.pending -= 1;
      session.touch();
    }
  }

  /** What is answered to anybody: the content, a login, and that nobody is logged in. */
  async #withoutSession(
    { method: name, receiver, parts }: Request,
    session: Session | null,
    caller: Caller,
  ): Promise<{ method: Method; value: unknown; cookie?: string; user?: string } | null> {
    const type = this.#content.get(receiver.value)?.type;
    if (type === 'ServiceInstance' && name === 'RetrieveServiceContent')
      return { method: methodNamed(type, name), value: serviceContent(this.facade) };
    if (type === 'SessionManager' && name === 'Login') {
      const method = methodNamed(type, name);
      const { values } = readFields(method.parameters, parts, '');
      return {
        method,
        ...(await this.#login(String(values['userName']), String(values['password']), caller)),
      };
    }
    if (session !== null) return null;
    // Whoever asks which session is his without having one is told that there is none.
    if (receiver.value === SERVICE.collector.value && name.startsWith('RetrieveProperties')) {
      const method = methodNamed('PropertyCollector', name);
      const specs = readFields(method.parameters, parts, '').values['specSet'] as FilterSpec[];
      if (specs.length > 0 && specs.every(asksOwnSession)) {
        const objects = [{ obj: SERVICE.sessions, propSet: [], missingSet: [] }];
        return { method, value: name === 'RetrieveProperties' ? objects : { objects } };
      }
    }
    if (type === 'SessionManager' && name === 'Fetch') {
      const { values } = readFields(FETCH.parameters, parts, '');
      if (values['prop'] === 'currentSession') return { method: FETCH, value: undefined };
    }
    return null;
  }

  vmsOf(session: Session): Promise<VirtualMachine[]> {
    return this.inventory.vmsOf(this.#reading(session));
  }

  async loginAs(
    name: string,
    password: string,
    address: string,
  ): Promise<{ session: Session; cookie: string }> {
    const { session, cookie } = await this.#login(name, password, { address, userAgent: '' });
    return { session, cookie };
  }

  noteRead({ user }: Session, path: string, status: number, address: string): void {
    const fault = status < 400 ? null : String(status);
    const note = { method: 'GET', object: path, user: user.name, address, ms: 0, fault, message: null };
    this.#options.note?.({ ...note, changes: false });
  }

  async #login(
    userName: string,
    password: string,
    { address, userAgent }: Pick<Caller, 'address' | 'userAgent'>,
  ) {
    const refused = (): InvalidLogin =>
      new InvalidLogin('Cannot complete login due to an incorrect user name or password.');
    if (!this.#guessing.isOpen(userName, address)) throw refused();
    const users = await this.#options.users();
    const user = users.find(({ name }) => name.toLowerCase() === userName.toLowerCase());
    const isRight = await this.#verified.check(password.slice(0, 1024), user);
    if (!isRight || user === undefined) {
      this.#guessing.failed(userName, address);
      throw refused();
    }
    this.#guessing.succeeded(userName, address);
    const { session, cookie } = this.sessions.begin(user, address, userAgent);
    return { session, value: session.info, cookie, user: user.name };
  }

  #reading(session: Session): Reading {
    return new Reading(session, (vm) => this.tasks.recent(vm));
  }

  async find(reference: ManagedObjectReference, viewer: Viewer): Promise<WireObject | null> {
    const { value } = reference;
    if (value === SERVICE.collector.value) return this.#defaultCollector(viewer as Session);
    const content = this.#content.get(value);
    if (content !== undefined) return content;
    if (value.startsWith('session[')) return (viewer as Session).objects.get(value) ?? null;
    if (value.startsWith('task-')) return this.tasks.find(value, ({ name }) => maySee(viewer.user, name));
    return this.inventory.find(reference, viewer);
  }

  async require(reference: ManagedObjectReference | undefined, viewer: Viewer): Promise<WireObject> {
    const found = reference === undefined ? null : await this.find(reference, viewer);
    if (found !== null) return found;
    throw objectNotFound(reference ?? { type: '', value: '' });
  }

  async requireVm(object: ManagedObjectReference, viewer: Viewer): Promise<VirtualMachine> {
    const [, of] = /^(\d+)-snapshot-/.exec(object.value) ?? [];
    const vm = await this.inventory.vm(of === undefined ? object.value : `vm-${of}`, viewer);
    if (vm !== null) return vm;
    throw objectNotFound(object);
  }

  collectorOf(session: Session): Collector {
    return this.#defaultCollector(session).collector;
  }

  #defaultCollector(session: Session): CollectorObject {
    let found = this.#collectors.get(session);
    if (found === undefined) {
      found = new CollectorObject(SERVICE.collector.value);
      this.#collectors.set(session, found);
    }
    return found;
  }
}

const FIRST = 1 << 20;

/** An answer of which the first part is written: what goes wrong in it is a fault, and no answer that breaks off. */
function* begun(pieces: Generator<string>): Generator<string> {
  const first: string[] = [];
  let size = 0;
  for (let next = pieces.next(); next.done !== true; next = pieces.next()) {
    first.push(next.value);
    size += next.value.length;
    if (size > FIRST) break;
  }
  yield* first;
  yield* pieces;
}

function asksOwnSession({ objectSet, propSet }: FilterSpec): boolean {
  return (
    objectSet.every(({ obj, selectSet }) => obj.value === SERVICE.sessions.value && selectSet.length === 0) &&
    propSet.every(({ all, pathSet }) => all !== true && pathSet.every((path) => path === 'currentSession'))
  );
}
