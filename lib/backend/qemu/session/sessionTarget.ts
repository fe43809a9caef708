/** The disks of a session as a place where bitmaps can be changed. */
import { QmpTrackingTarget } from '../graph/trackingTarget.js';
import type { LeaseDisk } from '../own/lease.js';
import type { QmpPort } from '../qmp/qmpPort.js';

/** Called as the session calls them. */
export function targetOf(client: QmpPort, disks: readonly LeaseDisk[]): QmpTrackingTarget {
  const label = (_: unknown, name: string | undefined): string =>
    disks.find((d) => d.node === name)?.disk ?? String(name);
  return new QmpTrackingTarget({ client, nodes: disks.map((d) => d.node), label });
}
