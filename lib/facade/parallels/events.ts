/** Functions of a program that are told of what its servers and VMs have done: registering them, and taking them off. */
import type { PRL_HANDLE } from './constants/handleTypes.js';
import { PRL_ERR_UNIMPLEMENTED } from './constants/results.js';
import { invalid, PrlError } from './errors.js';
import type { PRL_EVENT_HANDLER_PTR } from './objects/eventHandlers.js';
import { LocalServer } from './objects/localServer.js';
import { PrlVm } from './objects/virtualMachine.js';
import { runtime, takeAny } from './runtime.js';

function emitter(argument: string, handle: PRL_HANDLE): LocalServer | PrlVm {
  const object = takeAny(argument, handle);
  if (object instanceof LocalServer || object instanceof PrlVm) return object;
  throw new PrlError(PRL_ERR_UNIMPLEMENTED, 'only servers and VMs have events');
}

function requireHandler(handler: unknown): PRL_EVENT_HANDLER_PTR {
  if (typeof handler !== 'function') throw invalid('handler', 'a function');
  return handler as PRL_EVENT_HANDLER_PTR;
}

export function register(argument: string, handle: PRL_HANDLE, handler: unknown, userData: unknown): void {
  runtime().handlers.add(emitter(argument, handle), requireHandler(handler), userData);
}

export function unregister(argument: string, handle: PRL_HANDLE, handler: unknown, userData: unknown): void {
  if (!runtime().handlers.remove(emitter(argument, handle), requireHandler(handler), userData))
    throw invalid('handler', 'a function that is registered with this userData');
}
