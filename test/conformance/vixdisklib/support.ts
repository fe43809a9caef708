/** What the conformance tests of this facade share: an initialised library, images made by QEMU's own tools, open disks. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import * as vix from '../../../lib/facade/vixdisklib/index.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

export { vix };
export const { ref } = vix;
export const SECTOR = 512;

let folder: TemporaryFolder;
const connections: vix.VixDiskLibConnection[] = [];

/** An initialised library and a folder for each test; afterwards everything is closed. */
export function useLibrary(): void {
  beforeEach(async () => {
    folder = await makeTemporaryFolder();
    expect(vix.VixDiskLib_InitEx(6, 5, null, null, null, null, null)).toBe(vix.VIX_OK);
  });
  afterEach(async () => {
    for (const connection of connections.splice(0)) await vix.VixDiskLib_Disconnect(connection);
    vix.configureVixDiskLib({});
    vix.VixDiskLib_Exit();
    await folder.remove();
  });
}

export function path(name: string): string {
  return join(folder.path, name);
}

/** An image of so many bytes with qemu-io's pattern (0xcd) where `writes` say. */
export async function makeImage(
  name = 'disk.qcow2',
  bytes = 1 << 20,
  writes: string[] = [],
): Promise<string> {
  const format = name.endsWith('.vmdk') ? 'vmdk' : name.endsWith('.raw') ? 'raw' : 'qcow2';
  await qemuImg('create', '-q', '-f', format, path(name), String(bytes));
  if (writes.length > 0) await qemuIo(['-f', format, path(name)], ...writes);
  return path(name);
}

export async function connect(readOnly = false): Promise<vix.VixDiskLibConnection> {
  const connection = ref<vix.VixDiskLibConnection>();
  expect(await vix.VixDiskLib_ConnectEx(null, readOnly, null, null, connection)).toBe(vix.VIX_OK);
  connections.push(connection.value!);
  return connection.value!;
}

export async function open(file: string, flags = 0): Promise<vix.VixDiskLibHandle> {
  const handle = ref<vix.VixDiskLibHandle>();
  const connection = await connect();
  expect(await vix.VixDiskLib_Open(connection, file, flags, handle)).toBe(vix.VIX_OK);
  return handle.value!;
}

export const READ_ONLY = vix.VIXDISKLIB_FLAG_OPEN_READ_ONLY;
export const QCOW2: vix.VixDiskLibCreateParams = {
  diskType: vix.VIXDISKLIB_DISK_MONOLITHIC_SPARSE,
  adapterType: vix.VIXDISKLIB_ADAPTER_SCSI_LSILOGIC,
  hwVersion: vix.VIXDISKLIB_HWVERSION_CURRENT,
  capacity: 2048,
};
