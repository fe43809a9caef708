/** Hearing that a connection ended, only as long as one wants to: it may last for months, and what waits on its promise stays as long. */
import type { QmpPort } from './qmpPort.js';

const waitingOn = new WeakMap<QmpPort, Set<{ act: () => void }>>();

/** Calls `act` when the connection is closed or lost, also where it is already; returns how to call that off. */
export function onEnded(port: QmpPort, act: () => void): () => void {
  const acts = waitingOn.get(port) ?? listen(port);
  const entry = { act };
  acts.add(entry);
  return () => void acts.delete(entry);
}

function listen(port: QmpPort): Set<{ act: () => void }> {
  const acts = new Set<{ act: () => void }>();
  waitingOn.set(port, acts);
  void port.ended.then(() => {
    waitingOn.delete(port);
    for (const entry of [...acts]) if (acts.delete(entry)) entry.act();
  });
  return acts;
}
