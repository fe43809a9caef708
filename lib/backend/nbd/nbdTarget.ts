/** What an NBD connection goes to, as callers name it, and as the addon takes it. */
import { invalidArgument } from '../../core/errors.js';
import { endingWithUs } from '../../linux/endingWithUs.js';
import { keepingMemory } from './keptMemory.js';
import type { NativeNbdAddress, NativeNbdTls } from './nbdAddon.js';
import { type NbdTls, toNativeTls } from './nbdTls.js';
import { type QemuNbdNode, qemuNbdCommand } from './qemuNbdCommand.js';

export type { NbdTls } from './nbdTls.js';

/** A disk's bytes as somebody exports them: by socket, by host and port (10809 unless given) or by URI. */
export type NbdExport =
  | { kind: 'unix'; path: string; exportName?: string | undefined; tls?: NbdTls | undefined }
  | {
      kind: 'tcp';
      host: string;
      port?: number | undefined;
      exportName?: string | undefined;
      tls?: NbdTls | undefined;
    }
  /** nbd://, nbds://, nbd+unix:// or nbds+unix://; TLS files and secrets are not taken from the URI. */
  | { kind: 'uri'; uri: string; tls?: NbdTls | undefined };

/** Where a disk's bytes are: an export, or an image for a qemu-nbd of our own, which ends with the connection. */
export type NbdTarget = NbdExport | ({ kind: 'qemu-nbd' } & QemuNbdNode);

const NBD_PORT = 10809;

export interface NativeTarget {
  address: NativeNbdAddress;
  exportName: string;
  tls: NativeNbdTls | undefined;
}

export async function toNativeTarget(target: NbdTarget): Promise<NativeTarget> {
  switch (target.kind) {
    case 'unix': {
      const { kind, path, exportName = '' } = target;
      return { address: { kind, path }, exportName, tls: toNativeTls(target.tls) };
    }
    case 'tcp': {
      const { kind, host, port = NBD_PORT, exportName = '' } = target;
      return { address: { kind, host, port }, exportName, tls: toNativeTls(target.tls) };
    }
    case 'uri': {
      const { kind, uri } = target;
      return { address: { kind, uri }, exportName: '', tls: toNativeTls(target.tls) };
    }
    case 'qemu-nbd': {
      const command = endingWithUs(
        keepingMemory(qemuNbdCommand(target)),
        target.readOnly === false ? 'insist' : 'kill',
      );
      return {
        address: { kind: 'command', arguments: command, name: `qemu-nbd of ${target.file}` },
        exportName: '',
        tls: undefined,
      };
    }
    default: {
      const { kind } = target as { kind: unknown };
      throw invalidArgument('target.kind', kind, 'unix, tcp, uri or qemu-nbd');
    }
  }
}
