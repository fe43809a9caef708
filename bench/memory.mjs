// Peak resident memory of one job in a process of its own: `idle` only loads the library, `stream` reads the map in
// batches, `whole` holds it in one array.
import { readFileSync } from 'node:fs';
import { openDisk } from 'qemu-cbt';

// Not ru_maxrss: that starts at the size of the process we were forked from.
const peakKiB = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

const [mode, path, from] = process.argv.slice(2);
let ranges = 0;
const disk = await openDisk(path);
if (mode !== 'idle') {
  const map = await disk.changes({ from });
  if (mode === 'stream') for await (const batch of map.batches()) ranges += batch.length / 2;
  else ranges = (await map.ranges()).length / 2;
}
await disk.close();
console.log(JSON.stringify({ mode, ranges, peakMiB: peakKiB() / 1024 }));
