/**
 * A storage array in memory, as its vendor would have one: volumes that take snapshots and know which blocks were written between them.
 * Nothing in it knows qemu-cbt.
 */
import { randomUUID } from 'node:crypto';

export const BLOCK_BYTES = 64 * 1024;

/** A volume at a moment, and the blocks that were written since the snapshot before. */
interface Snapshot {
  id: string;
  number: number;
  data: Buffer;
  written: ReadonlySet<number>;
}

export class Volume {
  /** The history of the volume: the array draws a new one whenever it lost track of writes. */
  readonly history = randomUUID();
  readonly snapshots: Snapshot[] = [];
  readonly #data: Buffer;
  #written = new Set<number>();
  #next = 1;

  constructor(
    readonly name: string,
    readonly sizeBytes: number,
  ) {
    this.#data = Buffer.alloc(sizeBytes);
  }

  write(offset: number, data: Buffer): void {
    data.copy(this.#data, offset);
    const last = Math.floor((offset + data.length - 1) / BLOCK_BYTES);
    for (let block = Math.floor(offset / BLOCK_BYTES); block <= last; block += 1) this.#written.add(block);
  }

  /** The volume as it is now. */
  content(): Buffer {
    return Buffer.from(this.#data);
  }

  snapshot(id: string): void {
    this.snapshots.push({ id, number: this.#next, data: this.content(), written: this.#written });
    this.#next += 1;
    this.#written = new Set();
  }

  /** Takes a snapshot away; what was written since the one before is kept with the next, or with what comes. */
  remove(id: string): void {
    const at = this.snapshots.findIndex((snapshot) => snapshot.id === id);
    const [gone] = this.snapshots.splice(at, 1);
    if (gone === undefined) throw new Error(`${this.name} has no snapshot ${id}`);
    const next = this.snapshots[at];
    if (next === undefined) this.#written = new Set([...gone.written, ...this.#written]);
    else next.written = new Set([...gone.written, ...next.written]);
  }

  find(id: string): Snapshot {
    const found = this.snapshots.find((snapshot) => snapshot.id === id);
    if (found === undefined) throw new Error(`${this.name} has no snapshot ${id}`);
    return found;
  }

  /** Blocks that were written after one snapshot and up to another; up to now without. */
  writtenBetween(from: string, to: string | null): number[] {
    const first = this.snapshots.indexOf(this.find(from));
    const behind = to === null ? this.snapshots.length : this.snapshots.indexOf(this.find(to)) + 1;
    const blocks = this.snapshots.slice(first + 1, behind).flatMap(({ written }) => [...written]);
    return to === null ? [...blocks, ...this.#written] : blocks;
  }

  /** Blocks that hold anything but zeros. */
  static used(data: Buffer): number[] {
    const blocks: number[] = [];
    for (let at = 0; at < data.length; at += BLOCK_BYTES)
      if (data.subarray(at, at + BLOCK_BYTES).some((byte) => byte !== 0)) blocks.push(at / BLOCK_BYTES);
    return blocks;
  }
}
