/** Two backups of a storage array into a folder, the second of what was written since the first; what is restored is the volume. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { backup, restore, verify, verifyAgainst } from 'qemu-cbt/backup';
import { BLOCK_BYTES, Volume } from './array.js';
import { ArraySource } from './arraySource.js';

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
const disks = [...first.disks, ...second.disks].map((disk) =>
  disk.error !== undefined ? disk.error.message : { verdict: disk.verdict, changedBytes: disk.changedBytes },
);
const same = (await readFile(restored)).equals(expected);
console.log(JSON.stringify({ disks, same, problems, against, snapshots: lun.snapshots.length }));
