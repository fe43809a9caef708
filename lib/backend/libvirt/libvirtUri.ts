/** Which libvirt a URI means, and where that one's sockets are on this machine. */
import { homedir } from 'node:os';
import path from 'node:path';
import { CbtError, invalidArgument } from '../../core/errors.js';
import { checkSocketPath } from '../../linux/unixSocket.js';

/** A libvirt of this machine. */
export interface LibvirtUri {
  /** As it was given, or as the environment says. */
  uri: string;
  /** As the daemon is asked to open it. */
  opens: 'qemu:///system' | 'qemu:///session';
  /** Sockets at which it may listen, in the order in which they are tried. */
  sockets: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What no URI means `LIBVIRT_DEFAULT_URI`, and without that the system's. */
export function defaultUri(env: Environment = process.env): string {
  const told = env['LIBVIRT_DEFAULT_URI'];
  return told === undefined || told === '' ? 'qemu:///system' : told;
}

const FORM =
  'a libvirt URI of this machine: qemu:///system or qemu:///session, with ?socket=<path> where it listens elsewhere';

/** Takes a URI apart; an empty one is {@link defaultUri}. */
export function parseLibvirtUri(given: string, env: Environment = process.env): LibvirtUri {
  const uri = given === '' ? defaultUri(env) : given;
  const found = /^(qemu)(?:\+([a-z0-9]+))?:\/\/([^/?#]*)(\/[^?#]*)(?:\?([^#]*))?$/.exec(uri);
  const [, , transport = 'unix', host = '', which = '', query = ''] = found ?? [];
  if (found === null) throw notThisKind(uri);
  if (transport !== 'unix' || host !== '') throw remote(uri);
  if (which !== '/system' && which !== '/session') throw invalidArgument('libvirt URI', uri, FORM);
  let socket: string | null = null;
  for (const [key, value] of new URLSearchParams(query)) {
    // What else may be there says how libvirt's own client connects (mode, keepalive_interval, …).
    if (key === 'socket') socket = value;
  }
  if (socket !== null) {
    if (!path.isAbsolute(socket))
      throw invalidArgument('libvirt URI', uri, 'one whose socket is an absolute path');
    checkSocketPath('socket', socket);
  }
  const folder = which === '/system' ? '/run/libvirt' : sessionFolder(env);
  const usual = ['virtqemud-sock', 'libvirt-sock'].map((name) => path.join(folder, name));
  return { uri, opens: `qemu://${which}`, sockets: socket === null ? usual : [socket] };
}

function sessionFolder(env: Environment): string {
  const runtime = env['XDG_RUNTIME_DIR'];
  if (runtime !== undefined && runtime !== '') return path.join(runtime, 'libvirt');
  const cache = env['XDG_CACHE_HOME'];
  return path.join(cache === undefined || cache === '' ? path.join(homedir(), '.cache') : cache, 'libvirt');
}

function notThisKind(uri: string): CbtError {
  if (!/^[a-z0-9+]+:\/\//.test(uri)) return invalidArgument('libvirt URI', uri, FORM);
  return new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `${uri}: only libvirt's QEMU driver has disks that are tracked (${FORM})`,
    {
      details: { uri },
    },
  );
}

/** Scratch files and sockets are on the machine where QEMU is. */
function remote(uri: string): CbtError {
  return new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `${uri} is on another machine, or reached by another way than a socket here, which this version does not serve: run qemu-cbt on that machine`,
    { details: { uri } },
  );
}
