/** Folders of a run's own: who holds which VM is kept there, and not in that of the machine; and images that stand for new ones. */
import { makeTemporaryFolder } from './temporaryFolder.js';

export default async function setup(): Promise<() => Promise<void>> {
  const folder = await makeTemporaryFolder();
  const images = await makeTemporaryFolder();
  process.env['QEMU_CBT_STATE'] = folder.path;
  process.env['QEMU_CBT_TEST_IMAGES'] = images.path;
  return async () => {
    await folder.remove();
    await images.remove();
  };
}
