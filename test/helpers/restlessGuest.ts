/** A guest that writes to random places of its disks until it is told to stop. */
import { openData } from '../../lib/host/data.js';

/** Of a server at this socket, an export of its name each; one disk after the other. `stop` answers how many writes were done. */
export function startGuest(nbdPath: string, exportNames: readonly string[]): { stop(): Promise<number> } {
  let going = true;
  const work = async (): Promise<number> => {
    const disks = await Promise.all(
      exportNames.map((exportName) => openData({ kind: 'unix', path: nbdPath, exportName })),
    );
    let writes = 0;
    while (going) {
      for (const disk of disks) {
        const offset = Math.floor((Math.random() * disk.info.sizeBytes) / 512) * 512;
        await disk.write(offset, Buffer.alloc(512, 1 + (writes % 255)));
        writes += 1;
      }
    }
    for (const disk of disks) await disk.close();
    return writes;
  };
  const working = work();
  return {
    stop: () => {
      going = false;
      return working;
    },
  };
}
