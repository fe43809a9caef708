/**
 * The block graph of a running QEMU as one consistent picture: nodes, their children by role, the guest's devices.
 *
 *   device ─root→ throttle ─file→ qcow2 ─file→ file           child roles: file, backing, data-file, target, …
 *                                   └─backing→ qcow2 ─file→ file
 *
 * Edges come from the `children` member (QEMU 10.1 and newer) or from x-debug-query-block-graph (4.0 and newer); file
 * names are never used to guess them. QEMU answers each question at another moment, so the edges are asked before and
 * after everything else, and the picture counts only when both answers agree.
 */
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { isRelativeName } from '../qemuPlace.js';
import { type Capabilities, capabilitiesOf } from '../qmp/capabilities.js';
import { qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import type { BlockDevice, BlockExportInfo, BlockNodeInfo } from '../qmp/schemas.js';

export interface GraphNode {
  name: string;
  info: BlockNodeInfo;
  children: readonly { role: string; node: string }[];
}

export interface BlockGraph {
  nodes: ReadonlyMap<string, GraphNode>;
  /** Nodes that guest devices and exports see first, by the name of their block backend ('' has no entry). */
  tops: ReadonlyMap<string, string>;
  devices: readonly BlockDevice[];
  exports: readonly BlockExportInfo[];
  /** The paths of files that QEMU names relative to a folder of its own, where they can be told. */
  paths: ReadonlyMap<string, string>;
}

interface Edges {
  children: ReadonlyMap<string, readonly { role: string; node: string }[]>;
  tops: ReadonlyMap<string, string>;
}

/** Protocols whose names are paths. */
const FILE_DRIVERS: readonly string[] = ['file', 'host_device'];

/** Somebody changing the graph faster than this many readings is at work on it right now. */
const MAX_READINGS = 5;

export async function readBlockGraph(client: QmpPort, options?: WaitOptions): Promise<BlockGraph> {
  const capabilities = await capabilitiesOf(client, options);
  capabilities.require('query-named-block-nodes flat');
  for (let reading = 1; reading <= MAX_READINGS; reading += 1) {
    const graph = await readOnce(client, capabilities, options);
    if (graph !== null) return graph;
  }
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `the block graph of ${client.name} changed during each of ${MAX_READINGS} readings; another manager is at work on it`,
    { reason: 'BUSY' },
  );
}

async function readOnce(
  client: QmpPort,
  capabilities: Capabilities,
  options: WaitOptions | undefined,
): Promise<BlockGraph | null> {
  // Sent at once, answered in this order.
  const [before, infos, devices, exports, after] = await Promise.all([
    readEdges(client, capabilities, options),
    qmp(client, 'query-named-block-nodes', { flat: true }, options),
    qmp(client, 'query-block', undefined, options),
    capabilities.has('block-export-add') ? qmp(client, 'query-block-exports', undefined, options) : [],
    readEdges(client, capabilities, options),
  ]);
  if (spell(before) !== spell(after)) return null;
  const nodes = new Map<string, GraphNode>();
  for (const info of infos) {
    const children = after.children.get(info['node-name']);
    if (children === undefined) return null;
    nodes.set(info['node-name'], { name: info['node-name'], info, children });
  }
  if (nodes.size !== after.children.size) return null;
  const known = devices.every(({ inserted }) => inserted === undefined || nodes.has(inserted['node-name']));
  if (!known) return null;
  const names = infos.filter(({ drv }) => FILE_DRIVERS.includes(drv)).map(({ file }) => file);
  const paths = await client.host.pathsOf(names.filter(isRelativeName));
  return { nodes, tops: after.tops, devices, exports, paths };
}

async function readEdges(
  client: QmpPort,
  capabilities: Capabilities,
  options: WaitOptions | undefined,
): Promise<Edges> {
  if (capabilities.has('query-named-block-nodes children')) {
    const nodes = await qmp(client, 'query-named-block-nodes', { flat: true }, options);
    const children = nodes.map((node) => {
      const list = (node.children ?? []).map((child) => ({ role: child.child, node: child['node-name'] }));
      return [node['node-name'], list] as const;
    });
    return { children: new Map(children), tops: new Map() };
  }
  capabilities.require('x-debug-query-block-graph');
  return fromDebugGraph(await qmp(client, 'x-debug-query-block-graph', undefined, options), client.name);
}

function fromDebugGraph(
  graph: {
    nodes: readonly { id: number; type: string; name: string }[];
    edges: readonly { parent: number; child: number; name: string }[];
  },
  who: string,
): Edges {
  const byId = new Map(graph.nodes.map((node) => [node.id, node]));
  const children = new Map<string, { role: string; node: string }[]>();
  const tops = new Map<string, string>();
  for (const { type, name } of graph.nodes) if (type === 'block-driver') children.set(name, []);
  for (const edge of graph.edges) {
    const parent = byId.get(edge.parent);
    const child = byId.get(edge.child);
    if (parent === undefined || child?.type !== 'block-driver') {
      throw new CbtError(
        'ERR_CBT_BACKEND_PROTOCOL',
        `the block graph of ${who} has an edge ${edge.parent} -> ${edge.child} between things it does not list`,
      );
    }
    if (parent.type === 'block-driver') {
      children.get(parent.name)?.push({ role: edge.name, node: child.name });
    } else if (parent.type === 'block-backend' && parent.name !== '') {
      tops.set(parent.name, child.name);
    }
  }
  return { children, tops };
}

/** Edges as text that is equal exactly when they are, whatever the order of the reply. */
function spell(edges: Edges): string {
  const lines = [...edges.children].map(([node, children]) =>
    JSON.stringify([node, ...children.map(({ role, node: child }) => `${role} ${child}`).sort()]),
  );
  return [...lines, ...[...edges.tops].map((top) => JSON.stringify(top))].sort().join('\n');
}
