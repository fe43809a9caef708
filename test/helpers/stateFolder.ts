/** Who holds which VM is kept in a folder of the run's own, and not in that of the machine. */
import { makeTemporaryFolder } from './temporaryFolder.js';

export default async function setup(): Promise<() => Promise<void>> {
  const folder = await makeTemporaryFolder();
  process.env['QEMU_CBT_STATE'] = folder.path;
  return () => folder.remove();
}
