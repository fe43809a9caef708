// Peak resident memory of one job in a process of its own: `idle` only loads the library, `stream` reads the map in
// batches, `whole` holds it in one array.
import { openDisk } from 'qemu-cbt';

const [mode, path, from] = process.argv.slice(2);
let ranges = 0;
const disk = await openDisk(path);
if (mode !== 'idle') {
  const map = await disk.changes({ from });
  if (mode === 'stream') for await (const batch of map.batches()) ranges += batch.length / 2;
  else ranges = (await map.ranges()).length / 2;
}
await disk.close();
console.log(JSON.stringify({ mode, ranges, peakMiB: process.resourceUsage().maxRSS / 1024 }));
