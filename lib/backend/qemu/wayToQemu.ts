/**
 * The port to reaching a QEMU: what an address that a record keeps (`QemuHost.address`) stands for, to whoever connects to it again,
 * in this process or a later one. One maker for each kind of address; which one it is, the host room knows.
 */
import type { CallOptions } from '../../core/callOptions.js';
import { CbtError } from '../../core/errors.js';
import type { QmpOptions } from './qmp/qmpClient.js';
import type { QmpPort } from './qmp/qmpPort.js';

export interface WayToQemu {
  /** As records keep it. */
  readonly address: string;
  /** What leads there by whatever name, running or off: who takes the same way shares a connection, and holders hang on it. */
  identity(options?: CallOptions): Promise<string>;
  /** Nobody there is told as {@link isNobodyThere} knows it; whoever is busy or silent otherwise. */
  connect(options?: QmpOptions): Promise<QmpPort>;
  /** Thaws the guest behind this agent, as a record names it, whatever became of QEMU's monitor; false where it is not frozen. */
  thawLeft(agent: string, signal?: AbortSignal): Promise<boolean>;
}

/** The way that an address stands for. */
export type FindWay = (address: string) => Promise<WayToQemu>;

/** Whether a way ended because no QEMU runs at its end. One that is busy or silent runs. */
export function isNobodyThere(error: unknown): error is CbtError {
  if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_BACKEND_UNAVAILABLE') return false;
  const { errno, power } = error.details;
  // A libvirt says so itself.
  return power === 'off' || ['ENOENT', 'ECONNREFUSED'].includes(String(errno));
}
