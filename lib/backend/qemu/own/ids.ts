/**
 * Names of a session's parts inside QEMU. The session's UUID does not fit into 31 characters, so its first 16 hex digits
 * stand for it; from any of these names a later process finds the session again.
 *
 *   cbt<part>-<16 hex digits of the session>-<number of the disk>
 */
import { OWN_PREFIX } from './ownNames.js';

const PARTS = {
  /** Scratch file of a disk (protocol node), and the qcow2 on it that shows the session's instant. */
  scratchFile: 'p',
  scratch: 's',
  /** The filter that a fleecing job puts above the disk. */
  filter: 'f',
  job: 'j',
  /** The export of the disk's data. */
  data: 'e',
  /** A map that is being read: its node where it needs one of its own, and its export. */
  map: 'm',
  /** A job that makes a scratch file. */
  create: 'c',
  /** Overlay mode: the file and the qcow2 that take the guest's writes. */
  overlayFile: 'q',
  overlay: 'o',
  /** What keeps the guest from being migrated away. */
  blocker: 'b',
} as const;

export type SessionPart = keyof typeof PARTS;

const ID = new RegExp(`^${OWN_PREFIX}([${Object.values(PARTS).join('')}])-([0-9a-f]{16})-(\\d{1,6})$`);

/** What stands for the session in its ids. */
export function tagOf(session: string): string {
  return session.replaceAll('-', '').slice(0, 16);
}

export function makeId(part: SessionPart, tag: string, index: number): string {
  return `${OWN_PREFIX}${PARTS[part]}-${tag}-${index}`;
}

export interface ParsedId {
  part: SessionPart;
  tag: string;
  index: number;
}

/** Null for a name that is not one of ours. */
export function parseId(id: string): ParsedId | null {
  const match = ID.exec(id);
  const part = (Object.keys(PARTS) as SessionPart[]).find((name) => PARTS[name] === match?.[1]);
  if (match === null || part === undefined) return null;
  return { part, tag: match[2] ?? '', index: Number(match[3]) };
}
