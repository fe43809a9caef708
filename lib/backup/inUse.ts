/** Layers that a VM runs from: they are neither removed nor merged until it is gone. */
import { CbtError } from '../core/errors.js';
import { requireNoHolder } from '../host/unused.js';
import type { BackupFolder, Layer } from './folder.js';

/** Who has one of the layers open, in words; null where nobody has, and where it cannot be known. */
export async function whoUses(folder: BackupFolder, layers: readonly Layer[]): Promise<string | null> {
  for (const { disk } of layers) {
    try {
      await requireNoHolder(folder.file(disk.file), 'write');
    } catch (error) {
      if (error instanceof CbtError && error.reason === 'BUSY') return error.message;
      // A file that is not there, or cannot be opened, is for whoever does the work to tell.
      if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
    }
  }
  return null;
}
