/** The wiring of "who holds this, and does it still run": a process told from a later one with its number, across boots. */
export { isAlive, type Owner, ownOwner } from './backend/qemu/session/lease.js';
