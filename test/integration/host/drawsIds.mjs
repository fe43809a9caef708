// Draws the numbers of VMs, one after the other, and says each as soon as it has it: built library, state folder, VMs.
import { join } from 'node:path';

const [built, folder, ...names] = process.argv.slice(2);
const { RecordStore } = await import(join(built, 'host/recordStore.js'));
for (const name of names) {
  const id = await new RecordStore(folder, name).id();
  process.stdout.write(`${name} ${id}\n`);
}
