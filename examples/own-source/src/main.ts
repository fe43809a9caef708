/** Backups of a storage array into a folder, and into a target of our own; what is restored is the volume. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  backup,
  backupToTarget,
  restore,
  restoreFromTarget,
  verify,
  verifyAgainst,
  verifyTarget,
} from 'qemu-cbt/backup';
import { BLOCK_BYTES, Volume } from './array.js';
import { ArraySource } from './arraySource.js';
import { MemoryBucket } from './memoryBucket.js';

const [folder = 'work'] = process.argv.slice(2);
const to = join(folder, 'backups');
const lun = new Volume('lun-7', 8 << 20);
const source = new ArraySource({ id: randomUUID(), name: 'array', volumes: [lun] });

lun.write(0, Buffer.alloc(BLOCK_BYTES, 'a'));
const first = await backup(source, { to });
lun.write(5 * BLOCK_BYTES, Buffer.alloc(3 * BLOCK_BYTES, 'b'));
const expected = lun.content();
const second = await backup(source, { to });
lun.write(0, Buffer.alloc(lun.sizeBytes, 'c'));

const restored = join(folder, 'lun-7.raw');
await restore({ from: to, to: restored });
const { problems } = await verify({ from: to });
const [against] = await verifyAgainst(source, { from: to });
const bucket = new MemoryBucket();
await backupToTarget(source, { to: bucket });
lun.write(7 * BLOCK_BYTES, Buffer.alloc(BLOCK_BYTES, 'd'));
const now = lun.content();
const third = await backupToTarget(source, { to: bucket });
const fromBucket = join(folder, 'lun-7-bucket.raw');
await restoreFromTarget({ from: bucket, to: fromBucket });

const disks = [...first.disks, ...second.disks].map((disk) =>
  disk.error !== undefined ? disk.error.message : { verdict: disk.verdict, changedBytes: disk.changedBytes },
);
const same = (await readFile(restored)).equals(expected) && (await readFile(fromBucket)).equals(now);
const inBucket = {
  verdicts: third.disks.map(({ verdict, changedBytes }) => [verdict, changedBytes]),
  problems: (await verifyTarget({ from: bucket })).problems,
};
console.log(JSON.stringify({ disks, same, problems, against, inBucket, snapshots: lun.snapshots.length }));
