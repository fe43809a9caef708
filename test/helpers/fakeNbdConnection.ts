/** A connection of ours to a fake NBD server that does as it is told; both are gone afterwards. */
import { join } from 'node:path';
import { NbdConnection } from '../../lib/backend/nbd/nbdConnection.js';
import type { OpenDataOptions } from '../../lib/core/diskData.js';
import { type FakeNbdScript, FakeNbdServer } from './fakeNbdServer.js';
import { makeTemporaryFolder } from './temporaryFolder.js';

type Use<T> = (connection: NbdConnection, server: FakeNbdServer) => Promise<T>;

export async function withConnection<T>(
  script: FakeNbdScript,
  use: Use<T>,
  options: OpenDataOptions,
): Promise<T> {
  const folder = await makeTemporaryFolder();
  try {
    const path = join(folder.path, 's');
    const server = await FakeNbdServer.listen(path, script);
    try {
      const connection = await NbdConnection.open({ kind: 'unix', path }, options);
      try {
        return await use(connection, server);
      } finally {
        await connection.close();
      }
    } finally {
      await server.close();
    }
  } finally {
    await folder.remove();
  }
}

export const FAKE_DISK_BYTES = 1 << 20;

/** Every byte depends on its place; whole kilobytes of zeros now and then, for holes. */
export function fakeDiskContent(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1) {
    const at = offset + i;
    bytes[i] = (at >> 10) % 5 === 0 ? 0 : (at * 2654435761) >>> 13;
  }
  return bytes;
}

/** To a disk of {@link FAKE_DISK_BYTES} with {@link fakeDiskContent}, but for what the script says. */
export function withFakeDisk<T>(
  script: Partial<FakeNbdScript>,
  use: Use<T>,
  options: OpenDataOptions = {},
): Promise<T> {
  return withConnection({ sizeBytes: FAKE_DISK_BYTES, contents: fakeDiskContent, ...script }, use, options);
}
