/** The program of a session's guard: it starts when the process that it guarded is gone, or has handed its session over to it. */
import { undo, watch } from '../backend/qemu/session/guardWork.js';
import { wayTo } from './ways.js';

/** The descriptor that has the session's lock. */
const LOCK = 3;

const [, , folder = '', order, limit] = process.argv;
// Whoever signals all of a service means those that it works for.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const) process.on(signal, () => undefined);
(order === 'watch' ? watch(folder, Number(limit), wayTo) : undo(folder, LOCK, wayTo)).then(
  () => process.exit(0),
  () => process.exit(1),
);
