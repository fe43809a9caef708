/** Which method of the API is served by what, and who may call it. */
import { InvalidRequest, MethodNotFound, NoPermission, NotSupported } from '../../facade/vsphere/index.js';
import { findMethod, hasMethod, type Method } from '../../facade/vsphere/schema/schema.js';
import { mayAs } from '../users/usersFile.js';
import type { Handler, Handlers } from './call.js';
import { readPath } from './collector/paths.js';
import { COLLECTOR_METHODS, VIEW_METHODS } from './methods/collectorMethods.js';
import { HISTORY_METHODS, SEARCH_METHODS } from './methods/searchMethods.js';
import { SESSION_METHODS } from './methods/sessionMethods.js';
import { VM_METHODS } from './methods/vmMethods.js';
import type { Session } from './sessions.js';
import type { WireObject } from './wireObject.js';

/** Every method that is served, by `<type>.<method>`; those of the facade and those that only a wire has. */
export const HANDLERS: Handlers = {
  ...VM_METHODS,
  ...SESSION_METHODS,
  ...COLLECTOR_METHODS,
  ...VIEW_METHODS,
  ...SEARCH_METHODS,
  ...HISTORY_METHODS,
};

/** A read of one property; the API has it on every object, in no table. */
export const FETCH: Method = {
  owner: 'ManagedObject',
  name: 'Fetch',
  inner: 'fetch',
  parameters: [{ name: 'prop', type: 'string', optional: false, since: null }],
  result: 'anyType',
  faults: [],
};

/** A method that there must be. */
export function methodNamed(type: string, name: string): Method {
  const method = findMethod(type, name);
  if (method !== null) return method;
  throw new InvalidRequest(`there is no ${type}.${name}`);
}

/** The method of an object; one that the API has and this service has not is `NotSupported`. */
export function methodOf(object: WireObject, name: string): Method {
  if (name === 'Fetch') return FETCH;
  const method = findMethod(object.type, name);
  if (method !== null) return method;
  if (hasMethod(object.type, name)) throw new NotSupported(`${object.type}.${name} is not served`);
  throw new MethodNotFound(`${object.type} has no method ${name}`, { receiver: object, method: name });
}

const FETCHING: Handler = {
  async run({ receiver, args, reading }) {
    return (await readPath(receiver, String(args['prop']), reading)) ?? undefined;
  },
};

/** What does a method; `NotSupported` where nothing does. */
export function handlerOf({ owner, name }: Method): Handler {
  const handler = name === 'Fetch' ? FETCHING : HANDLERS[`${owner}.${name}`];
  if (handler !== undefined) return handler;
  throw new NotSupported(`${owner}.${name} is not served`);
}

/** `NoPermission` where the user has not the right. */
export function requireRight(
  { needs = 'read', privilege = 'System.Read' }: Handler,
  { user }: Session,
  object: WireObject,
): void {
  if (mayAs(user, needs)) return;
  throw new NoPermission(`${user.name} has not the right ${privilege}: the role is ${user.role}`, {
    object,
    privilegeId: privilege,
  });
}

/** Of a task its reference goes over the wire. */
export function typeOfResult({ result }: Method): string {
  return result.startsWith('Task<') ? 'Task' : result.replace(/\?$/, '');
}
