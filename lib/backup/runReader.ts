/**
 * A disk as a run shows it, read anywhere: every layer over the one below, which reaches no further than its own disk did. As QEMU
 * reads the newest layer's file, but no name in any header is followed.
 */
import type { BackupFolder, Layer } from './folder.js';
import type { LayerData } from './layerData.js';
import { openLayer } from './layerFiles.js';

export class RunReader implements AsyncDisposable {
  readonly info: { readonly sizeBytes: number };
  readonly #layers: readonly { data: LayerData; sizeBytes: number }[];

  private constructor(layers: readonly { data: LayerData; sizeBytes: number }[]) {
    this.#layers = layers;
    this.info = { sizeBytes: layers.at(-1)?.sizeBytes ?? 0 };
  }

  /** The full layer first; headers are checked. */
  static async open(folder: BackupFolder, layers: readonly Layer[]): Promise<RunReader> {
    const opened: { data: LayerData; sizeBytes: number }[] = [];
    try {
      for (const layer of layers)
        opened.push({ data: await openLayer(folder, layer), sizeBytes: layer.disk.sizeBytes });
      return new RunReader(opened);
    } catch (error) {
      for (const { data } of opened) await data.close();
      throw error;
    }
  }

  /** `length` bytes from `offset` on. */
  async read(offset: number, length: number, { signal }: { signal?: AbortSignal } = {}): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    for (const { data, sizeBytes } of this.#layers) {
      await data.overlay(bytes, offset, signal);
      bytes.fill(0, Math.min(length, Math.max(0, sizeBytes - offset)));
    }
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { data } of this.#layers) await data.close();
  }
}
