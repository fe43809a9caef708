/**
 * QEMU at hand for images that no VM uses: one storage daemon that stays, opens an image for a moment and lets go of it
 * cleanly, bitmaps and all. Reads and writes go over NBD, so what an image holds is what QEMU reads from it.
 */
import { NbdConnection } from '../../lib/backend/nbd/nbdConnection.js';
import { StorageDaemon } from '../helpers/storageDaemon.js';

const NODE = 'resting';

export class RestingImages {
  private constructor(private readonly daemon: StorageDaemon) {}

  static async start(): Promise<RestingImages> {
    const daemon = await StorageDaemon.start();
    await daemon.exportWritable();
    return new RestingImages(daemon);
  }

  /** Works on the image as a disk; it is closed again whatever comes of that. */
  async open<T>(file: string, mode: 'read' | 'write', work: (disk: NbdConnection) => Promise<T>): Promise<T> {
    const { control } = this.daemon.process;
    const readOnly = mode === 'read';
    await control.execute('blockdev-add', {
      driver: 'qcow2',
      'node-name': NODE,
      'read-only': readOnly,
      file: { driver: 'file', filename: file },
    });
    try {
      const id = { id: NODE, 'node-name': NODE, name: NODE };
      await control.execute('block-export-add', { type: 'nbd', ...id, writable: !readOnly });
      const gone = control.waitEvent(({ event }) => event === 'BLOCK_EXPORT_DELETED');
      try {
        const target = { kind: 'unix', path: this.daemon.nbdPath, exportName: NODE } as const;
        const disk = await NbdConnection.open(target);
        return await work(disk).finally(() => disk.close());
      } finally {
        await control.execute('block-export-del', { id: NODE, mode: 'hard' });
        await gone;
      }
    } finally {
      await control.execute('blockdev-del', { 'node-name': NODE });
    }
  }

  async read(file: string): Promise<Buffer> {
    return this.open(file, 'read', (disk) => disk.read(0, disk.info.sizeBytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
  }
}
