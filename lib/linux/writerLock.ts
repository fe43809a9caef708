/** The locks that QEMU programs take on bytes of an image, asked by whoever has no kernel of ours at hand. */
import { loadKernel } from '../kernel/load.js';

/** Whether a process holds the open file for writing, as QEMU programs show it; false also where that cannot be seen. */
export async function hasWriter(fd: number): Promise<boolean> {
  const kernel = await loadKernel();
  return kernel.lockState(fd).then(
    ({ writer }) => writer,
    () => false,
  );
}
