/** What rules of the simulator do to one call: before it is performed, and to its answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ManagedObjectReference, RequestCanceled } from '../../../facade/vsphere/index.js';
import type { DiskChangeInfo } from '../../../facade/vsphere/types.js';
import type { Session, Sessions } from '../sessions.js';
import { faultNamed } from './faultNames.js';
import type { Effect, FaultRules } from './faultRules.js';

/** A call that meets something. */
export interface Met {
  receiver: ManagedObjectReference;
  session: Session | null;
  /** Name of the VM that it is sent to; null for any other object. */
  vm: string | null;
  signal: AbortSignal;
}

/** What is done before the call; throws where it is not to be performed. */
export async function before(
  effects: readonly Effect[],
  rules: FaultRules,
  sessions: Sessions,
  { receiver, session, vm, signal }: Met,
): Promise<void> {
  for (const effect of effects) {
    if (effect.kind === 'delay') await sleep(effect.ms, undefined, { signal }).catch(() => undefined);
    if (effect.kind === 'hang') await new Promise<void>((resolve) => whenAborted(signal, resolve));
    if (signal.aborted) throw new RequestCanceled('the client is gone');
    if (effect.kind === 'harm') await rules.harm(effect.harm, vm);
    if (effect.kind === 'endSession' && session !== null) sessions.end(session);
    const fault = effect.kind === 'fault' ? faultNamed(effect.name, receiver, effect.reason) : null;
    if (fault !== null) throw fault;
  }
}

function whenAborted(signal: AbortSignal, then: () => void): void {
  if (signal.aborted) then();
  else signal.addEventListener('abort', then, { once: true });
}

/** The answer as it is sent: one of areas in pages, as hosts cut them. */
export function after(effects: readonly Effect[], value: unknown): unknown {
  const page = effects.find(({ kind }) => kind === 'page');
  if (page?.kind !== 'page' || !isAreas(value)) return value;
  const next = value.changedArea[page.areas];
  if (next === undefined) return value;
  return {
    ...value,
    changedArea: value.changedArea.slice(0, page.areas),
    length: next.start - value.startOffset,
  };
}

function isAreas(value: unknown): value is DiskChangeInfo {
  return typeof value === 'object' && value !== null && Array.isArray((value as DiskChangeInfo).changedArea);
}
