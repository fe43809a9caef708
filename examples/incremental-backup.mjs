// An incremental backup of a running VM's disk with the core API alone: begin a session, read what changed, commit.
//   node examples/incremental-backup.mjs <qmp socket> <disk> <folder>
// The folder gets disk.raw and pit, the point in time that the next run starts from; the first run is full.
import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectVm, openData } from 'qemu-cbt';

const [socket, name, folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: incremental-backup.mjs <qmp socket> <disk> <folder>');
  process.exit(2);
}
await mkdir(folder, { recursive: true });
const last = await readFile(join(folder, 'pit'), 'utf8').catch(() => undefined);

const vm = await connectVm(socket, { nbdSocket: process.env.NBD_SOCKET });
const session = await vm.begin({ disks: [name], base: last, scratch: { folder } });
try {
  const [{ verdict, reason, unsafeExportUri: uri, error }] = session.disks;
  if (error !== undefined) throw error;
  const full = last === undefined || verdict === 'full';
  console.log(full ? `full${reason === undefined ? '' : `: ${reason}`}` : `incremental since ${last}`);

  const disk = await session.openDisk(name);
  const map = full ? await disk.allocated() : await disk.changes({ from: last });
  const data = await openData({ kind: 'uri', uri });
  const file = await open(join(folder, 'disk.raw'), full ? 'w' : 'r+');
  await file.truncate(data.info.sizeBytes);
  let bytes = 0;
  for await (const ranges of map.batches()) {
    // A piece's memory is ours until this function is done: it is written before that.
    bytes += await data.forEachPiece(ranges, async (piece) => {
      for (let done = 0; done < piece.data.length; )
        done += (await file.write(piece.data, done, piece.data.length - done, piece.offset + done))
          .bytesWritten;
    });
  }
  await file.sync();
  await file.close();
  await data.close();
  // A broken session serves bytes of another moment: commit would refuse it, and so nothing is kept.
  await session.check();
  await writeFile(join(folder, 'pit.new'), session.pit);
  await session.commit();
  await rename(join(folder, 'pit.new'), join(folder, 'pit'));
  console.log(`${bytes} bytes`);
} catch (error) {
  await session.rollback().catch(() => undefined);
  throw error;
} finally {
  await vm.close();
}
