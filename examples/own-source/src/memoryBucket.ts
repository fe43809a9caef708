/** A target in memory, as the smallest one that keeps its promises: an object is there whole, or not at all. */
import type { BackupTarget, TargetCall, TargetRead, TargetWrite } from 'qemu-cbt/backup';

export class MemoryBucket implements BackupTarget {
  readonly name = 'memory';
  readonly #objects = new Map<string, Buffer>();

  async write(key: string, data: AsyncIterable<Uint8Array>, { signal }: TargetWrite): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const part of data) {
      signal?.throwIfAborted();
      parts.push(Uint8Array.from(part));
    }
    this.#objects.set(key, Buffer.concat(parts));
  }

  async *read(
    key: string,
    { offset = 0, length }: TargetRead = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const data = this.#objects.get(key);
    if (data === undefined) throw new Error(`there is no ${key}`);
    yield data.subarray(offset, length === undefined ? data.length : offset + length);
  }

  async *list(prefix: string, _call?: TargetCall): AsyncGenerator<string, void, undefined> {
    for (const key of this.#objects.keys()) if (key.startsWith(prefix)) yield key;
  }

  async remove(key: string): Promise<void> {
    this.#objects.delete(key);
  }
}
