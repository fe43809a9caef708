/** The qcow2 file of a layer while it is made; a failure names it. */
import { NewLayer, type NewLayerOptions } from '../host/newLayer.js';
import type { LayerTarget } from './copyLayer.js';
import { onFile } from './fileFault.js';
import { WriteBehind } from './writeBehind.js';

export class LayerWriter implements LayerTarget, AsyncDisposable {
  readonly #path: string;
  readonly #layer: NewLayer;
  readonly #behind: WriteBehind;

  private constructor(path: string, layer: NewLayer, behind: WriteBehind) {
    this.#path = path;
    this.#layer = layer;
    this.#behind = behind;
  }

  /** The file must not exist yet. */
  static async create(path: string, options: NewLayerOptions): Promise<LayerWriter> {
    const layer = await onFile(path, 'creating', () => NewLayer.create(path, options));
    try {
      return new LayerWriter(path, layer, await WriteBehind.start(path));
    } catch (error) {
      await layer.close();
      throw error;
    }
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    await onFile(this.#path, 'writing', () => this.#layer.write(offset, data));
    this.#behind.note(data.length);
  }

  async zero(offset: number, length: number): Promise<void> {
    await onFile(this.#path, 'writing', () => this.#layer.zero(offset, length));
  }

  /** The file is whole and on stable storage afterwards. */
  async finish(): Promise<void> {
    await onFile(this.#path, 'writing', () => this.#layer.finish());
    await this.#behind.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#behind.close();
    await this.#layer.close();
  }
}
