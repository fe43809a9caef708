/** The parts of sessions that a QEMU holds, as their names tell: exports, jobs, nodes, and the folder of the files. */

import type { WaitOptions } from '../../../linux/waiting.js';
import { qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { parseId } from './ids.js';

/** What of a session there is in QEMU now. */
export interface SessionParts {
  exports: string[];
  jobs: string[];
  /** Nodes in the order in which they can be removed: what stands on another comes first. */
  nodes: string[];
  /** Folder of the session's files, where one of its nodes tells it. */
  folder: string | null;
}

/** The files come last: they lead whoever comes later to the session's folder. */
const REMOVAL_ORDER = ['map', 'blocker', 'scratch', 'scratchFile', 'overlay', 'overlayFile'] as const;
const FILE_PARTS: readonly string[] = ['scratchFile', 'overlayFile', 'blocker'];

/** The sessions that QEMU holds parts of, by their tag. */
export async function findSessions(
  client: QmpPort,
  options?: WaitOptions,
): Promise<Map<string, SessionParts>> {
  const [nodes, jobs, exports] = await Promise.all([
    qmp(client, 'query-named-block-nodes', { flat: true }, options),
    qmp(client, 'query-jobs', undefined, options),
    qmp(client, 'query-block-exports', undefined, options),
  ]);
  const sessions = new Map<string, SessionParts>();
  const partsOf = (tag: string): SessionParts => {
    const parts = sessions.get(tag) ?? { exports: [], jobs: [], nodes: [], folder: null };
    sessions.set(tag, parts);
    return parts;
  };
  for (const { id } of exports) {
    const parsed = parseId(id);
    if (parsed !== null) partsOf(parsed.tag).exports.push(id);
  }
  for (const { id } of jobs) {
    const parsed = parseId(id);
    if (parsed !== null) partsOf(parsed.tag).jobs.push(id);
  }
  for (const node of nodes) {
    const name = node['node-name'] ?? '';
    const parsed = parseId(name);
    if (parsed === null || parsed.part === 'filter') continue;
    const parts = partsOf(parsed.tag);
    parts.nodes.push(name);
    if (FILE_PARTS.includes(parsed.part)) parts.folder ??= folderOf(node.file);
  }
  for (const parts of sessions.values()) parts.nodes.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return sessions;
}

function rank(node: string): number {
  const part = parseId(node)?.part;
  const index = REMOVAL_ORDER.indexOf(part as (typeof REMOVAL_ORDER)[number]);
  return index === -1 ? REMOVAL_ORDER.length : index;
}

/** The folder of a file as QEMU shows it; null where that is no plain absolute path. */
function folderOf(filename: string): string | null {
  const at = filename.lastIndexOf('/');
  return filename.startsWith('/') && at > 0 ? filename.slice(0, at) : null;
}
