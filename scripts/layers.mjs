// The rooms of lib/, which of them may know which, and what imports what: for check-layers and for the drawing in the docs.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../lib');

const ENGINE = ['core', 'linux', 'watch'];
const BACKENDS = ['backend/image', 'backend/nbd', 'backend/qemu', 'backend/libvirt'];

/** Room of a file (path below lib/, first match wins), the rooms it may import beside its own, and what it is for. */
export const LAYERS = [
  {
    name: 'core',
    match: /^core\//,
    may: [],
    bare: false,
    holds:
      'names, points, chains, queries, tracking plans, change maps, errors; the ports `DiskSource`, `BitmapKernel`, `RangePager`, `TrackingTarget`',
  },
  {
    name: 'linux',
    match: /^linux\//,
    may: ['core', 'kernel'],
    bare: true,
    holds:
      'what the system promises, and no word of ours but the errors: locks that end with their holder (ADR 8), whole files (`wholeFile.ts`: the one way to write or replace a file), who has a file or device open, stable storage, sockets, programs, waiting with a limit',
  },
  {
    name: 'watch',
    match: /^watch\//,
    may: ['core'],
    bare: true,
    holds:
      'telling what is done while it is done: Node’s tracing channels, their messages, and the lines for loggers and `NODE_DEBUG` (ADR 31)',
  },
  {
    name: 'kernel',
    match: /^kernel\//,
    may: ['core'],
    bare: true,
    holds: 'finds and loads the addon; its plain TypeScript twin, which is the test oracle and the fallback',
  },
  {
    name: 'backend/image',
    match: /^backend\/image\//,
    may: ENGINE,
    bare: true,
    holds:
      'images at rest: qcow2 (headers, bitmap directory, tables, L1/L2; new files written in one go), Parallels `.hdd`/`.hds`, raw; image locks; stacks of files; which files QEMU is told to open',
  },
  {
    name: 'backend/nbd',
    match: /^backend\/nbd\//,
    may: ENGINE,
    bare: true,
    holds: 'libnbd through `nbd.node`: block status into ranges, pipelined reads and writes',
  },
  {
    name: 'backend/qemu',
    match: /^backend\/qemu\//,
    may: [...ENGINE, 'backend/nbd', 'backend/image'],
    bare: true,
    holds:
      'a running QEMU, in rooms that use each other in this order: `session/` (fleecing and overlay sessions and their ends, ADR 7), `live/` (maps of a running disk, ADR 6), `graph/` (nodes, disks and their names), `guest/` (the agent, freezing), `own/` (what is ours inside a QEMU: names, jobs, exports, the NBD server), `qmp/` (the port to a QEMU and the client that is one, codec, schemas, transactions, capabilities); beside them the ports to where it runs (`qemuHost.ts`) and to reaching it again (`wayToQemu.ts`, ADR 17)',
  },
  {
    name: 'backend/libvirt',
    match: /^backend\/libvirt\//,
    may: [...ENGINE, 'backend/qemu', 'backend/image'],
    bare: true,
    holds:
      'domains of libvirt as VMs (ADR 40): its RPC over the local sockets (`rpc/`), names and URIs, what a domain’s XML says, and the ports to a QEMU made from them: `DomainMonitor`, `DomainHost`, `DomainWay`',
  },
  {
    name: 'host',
    match: /^host\//,
    may: [...ENGINE, 'kernel', ...BACKENDS],
    bare: true,
    holds:
      'what this machine has, and the only wiring: from a name to a VM, a disk, its data; what was left behind; the tools',
  },
  {
    name: 'facade',
    match: /^facade\//,
    may: [...ENGINE, 'host'],
    bare: true,
    holds:
      'the SDKs’ surfaces: one function a file, a surface list each, one table from core codes to the SDK’s',
  },
  {
    name: 'backup',
    match: /^backup\//,
    may: [...ENGINE, 'host'],
    bare: true,
    holds:
      'the backup program: folder and its owner, series, manifests, sums, copying, restore, verify, prune',
  },
  {
    name: 'service',
    match: /^service\//,
    may: [...ENGINE, 'host', 'facade'],
    bare: true,
    holds:
      'the service: wires over the facades, no rule about trust. `vim/` is vSphere’s API over HTTPS: `soap/` (XML, by the types of the facade’s schema), `collector/` (property collector), `inventory/` (places of a host, VMs), `methods/`; `library/` is the session of a compiled program (ADR 44), with a folder for each SDK: `vixdisklib/`, `parallels/` (ADR 49); beside them `http/`, `users/`',
  },
  {
    name: 'demo',
    match: /^demo\//,
    may: [...ENGINE, 'host', 'facade', 'service'],
    bare: true,
    holds:
      'the service over VMs that are made for it, and what they suffer: `serve --demo`, the simulator (ADR 45)',
  },
  {
    name: 'cli',
    match: /^cli\//,
    may: [...ENGINE, 'host', 'kernel', 'backup', 'service', 'demo'],
    bare: true,
    holds:
      'the command; pictures. `scripts/bundle-command.mjs` makes it one file (`dist/command`); `bin/compiledCode.js` keeps V8’s code for it, for the Node that made it',
  },
  {
    name: 'testing',
    match: /^testing\//,
    may: ['core', 'kernel', 'host'],
    bare: true,
    holds:
      'a VM in memory for tests of programs that use the library: its disks and bitmaps, faults, matchers (ADR 35)',
  },
  {
    name: 'otel',
    match: /^otel\//,
    may: ['core', 'watch'],
    bare: true,
    holds: 'spans and histograms of OpenTelemetry from the channels, by the caller’s own copy of its API',
  },
  {
    name: 'index.ts',
    match: /^index\.ts$/,
    may: [...ENGINE, 'host'],
    bare: true,
    holds: 'the public names',
  },
];

/** Rooms of a folder in the order of their use: each knows those behind it only. */
export const ORDERED = { 'backend/qemu': ['session', 'live', 'graph', 'guest', 'own', 'qmp'] };

/** Folders side by side that know each other by their index alone. */
export const CLOSED = ['facade/parallels', 'facade/vixdisklib', 'facade/vsphere'];

/** What is known beside an index, and why: programs have no use for it, so it is no name of `qemu-cbt/vsphere`. */
const BESIDE_AN_INDEX = {
  'facade/vsphere/cleanUp.ts': 'VixDiskLib_Cleanup ends what snapshots left',
  'facade/vsphere/devices.ts': 'which of a VM’s disks a path of VDDK means',
  'facade/vsphere/storeNames.ts': 'names of disks on datastores, for VixDiskLib_Open',
};

/** What is wrong with an import between rooms of one layer, in words; null where nothing is. */
export function wrongWithin(file, target) {
  for (const [folder, rooms] of Object.entries(ORDERED)) {
    const [from, to] = [file, target].map((path) =>
      rooms.findIndex((room) => path.startsWith(`${folder}/${room}/`)),
    );
    if (to >= 0 && from > to) return `${rooms[from]}/ is used by ${rooms[to]}/, and does not know it`;
  }
  const other = CLOSED.find((folder) => target.startsWith(`${folder}/`));
  const isNeighbour = CLOSED.some((folder) => folder !== other && file.startsWith(`${folder}/`));
  if (isNeighbour && other !== undefined && target !== `${other}/index.ts` && !(target in BESIDE_AN_INDEX))
    return `${other} is known to its neighbours by its index alone`;
  return null;
}

export const layerOf = (path) => LAYERS.find((layer) => layer.match.test(path));

/** What a module imports, as it writes it: also for types alone, and while it runs. */
export function specifiersIn(source) {
  const imports = /(?:^(?:import|export)\b[^;']*\bfrom\s+|^import\s+|\bimport\(\s*)'([^']+)'/gm;
  return [...source.matchAll(imports)].map(([, specifier]) => specifier);
}

/** Of each file, by its path below lib/: the files it imports, and the packages. Types count. */
export function readImports() {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
  const found = new Map();
  for (const file of files) {
    const inside = new Set();
    const outside = new Set();
    for (const specifier of specifiersIn(readFileSync(join(root, file), 'utf8'))) {
      if (!specifier.startsWith('.')) outside.add(specifier);
      else inside.add(relative(root, resolve(root, dirname(file), specifier)).replace(/\.js$/, '.ts'));
    }
    found.set(file, { inside, outside });
  }
  return found;
}

/** Sets of more than one that can all be reached from each other (Tarjan). */
export function findCircles(graph) {
  const order = new Map();
  const low = new Map();
  const open = [];
  const circles = [];
  const visit = (node) => {
    order.set(node, order.size);
    low.set(node, order.get(node));
    open.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!graph.has(next)) continue;
      if (!order.has(next)) visit(next);
      if (open.includes(next)) low.set(node, Math.min(low.get(node), low.get(next)));
    }
    if (low.get(node) !== order.get(node)) return;
    const circle = open.splice(open.indexOf(node));
    if (circle.length > 1) circles.push(circle);
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return circles;
}

/** Circles between folders of one folder; what a folder's own files import of its subfolders is none. */
export function folderCircles(graph) {
  const folders = new Set(['.']);
  for (const file of graph.keys())
    for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  return [...folders].flatMap((folder) => {
    const below = (path) => {
      const inner =
        folder === '.' ? path : path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : '';
      return inner.includes('/') ? inner.slice(0, inner.indexOf('/')) : null;
    };
    const arrows = new Map();
    const because = [];
    for (const [file, imports] of graph) {
      const from = below(file);
      if (from === null) continue;
      if (!arrows.has(from)) arrows.set(from, new Set());
      for (const target of imports) {
        const to = below(target);
        if (to === null || to === from) continue;
        arrows.get(from).add(to);
        because.push({ from, to, text: `${file} → ${target}` });
      }
    }
    return findCircles(arrows).map((circle) => ({
      folder,
      circle,
      because: because
        .filter(({ from, to }) => circle.includes(from) && circle.includes(to))
        .map(({ text }) => text),
    }));
  });
}
