// Changed ranges as a stream: one JSON line each, in bounded memory, of an image or of a disk of a running QEMU.
//   node examples/changed-ranges-stream.mjs disk.qcow2 <from> [<to>]
//   node examples/changed-ranges-stream.mjs qmp:/run/vm.qmp#drive0 <from>
import { CbtError, openDisk } from 'qemu-cbt';

const [name, from, to] = process.argv.slice(2);
if (name === undefined || from === undefined) {
  console.error('usage: changed-ranges-stream.mjs <disk> <from> [<to>]');
  process.exit(2);
}
let disk;
try {
  disk = await openDisk(name);
  const map = await disk.changes({ from, to });
  for (const warning of map.warnings) console.error(warning);
  for await (const range of map) console.log(JSON.stringify(range));
} catch (error) {
  if (!(error instanceof CbtError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = error.recovery === 'full' ? 3 : 1;
} finally {
  // A disk of a running QEMU holds a connection, and that the process.
  await disk?.close();
}
