/**
 * Keeps QEMU from migrating its guest away while a session is open. The other QEMU opens the images: in overlay mode it would
 * miss what the guest wrote since, in fleece mode its writes would pass the job that saves the old data, and either way it
 * would have a point in time that nobody committed. QEMU has no command for it, but some of its formats refuse to be migrated:
 * a small read-only image of one of them, used by nobody, is enough. It keeps off `savevm` too, whose snapshot would be of an
 * overlay that goes with the session.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CbtError } from '../../../core/errors.js';
import { onFile } from '../../../linux/fileFault.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { makeId } from '../own/ids.js';
import { capabilitiesOf } from '../qmp/capabilities.js';
import { qmp } from '../qmp/commands.js';
import { QmpCommandError } from '../qmp/qmpError.js';
import type { QmpPort } from '../qmp/qmpPort.js';

export const BLOCKER_NAME = 'unmigratable.vhd';

/** `required`: throws where this QEMU cannot be kept from migrating. Of a storage daemon there is nothing to be kept from. */
export async function blockMigration(
  client: QmpPort,
  { tag, folder, required }: { tag: string; folder: string; required: boolean },
  options?: WaitOptions,
): Promise<void> {
  if (!(await capabilitiesOf(client, options)).has('migrate')) return;
  const filename = join(folder, BLOCKER_NAME);
  // QEMU may run as another user; the folder keeps everybody else out.
  await onFile(filename, 'writing', () => writeFile(filename, fixedVhd(), { mode: 0o644, flag: 'wx' }));
  const file = { driver: 'file', filename, 'read-only': true };
  const node = { driver: 'vpc', 'node-name': makeId('blocker', tag, 0), 'read-only': true, file };
  try {
    await qmp(client, 'blockdev-add', node, options);
  } catch (error) {
    if (!(error instanceof QmpCommandError)) throw error;
    const { description } = error;
    if (/in progress/i.test(description))
      throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `the guest is being migrated: ${description}`, {
        reason: 'BUSY',
        cause: error,
      });
    if (!required) return;
    throw new CbtError(
      'ERR_CBT_UNSUPPORTED',
      `this QEMU cannot be kept from migrating the guest away from what it writes during a session in overlay mode (${description}): use fleece mode`,
      { cause: error },
    );
  }
}

const SECTOR = 512;

/** A fixed VHD of one sector: the data, then the footer (Virtual Hard Disk Image Format Specification, "Hard Disk Footer Format"). */
function fixedVhd(): Buffer {
  const image = Buffer.alloc(2 * SECTOR);
  const footer = image.subarray(SECTOR);
  footer.write('conectix', 0, 'latin1');
  // Features: reserved, always set. File format version 1.0. No header further on: it is a fixed disk.
  footer.writeUInt32BE(2, 8);
  footer.writeUInt32BE(0x0001_0000, 12);
  footer.fill(0xff, 16, 24);
  // QEMU believes the size, and not the geometry, where its own forced size made the image.
  footer.write('qem2', 28, 'latin1');
  footer.writeUInt32BE(0x0001_0000, 32);
  footer.writeBigUInt64BE(BigInt(SECTOR), 40);
  footer.writeBigUInt64BE(BigInt(SECTOR), 48);
  footer.writeUInt32BE(2, 60);
  let sum = 0;
  for (const byte of footer) sum += byte;
  footer.writeUInt32BE(~sum >>> 0, 64);
  return image;
}
