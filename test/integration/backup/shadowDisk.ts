/** A disk's expected content beside the real one: every write goes to both, and any state can be kept for comparison. */
import { createHash } from 'node:crypto';

const SECTOR = 512;

export class ShadowDisk {
  readonly content: Buffer;

  constructor(readonly sizeBytes: number) {
    this.content = Buffer.alloc(sizeBytes);
  }

  /** qemu-io commands of some writes, zeroings and discards; the shadow has them already. */
  randomWrites(random: (below: number) => number, count: number, mostBytes = 300_000): string[] {
    return Array.from({ length: count }, () => {
      const length = SECTOR * (1 + random(mostBytes / SECTOR));
      const offset = SECTOR * random((this.sizeBytes - length) / SECTOR);
      if (random(4) === 0) {
        this.content.fill(0, offset, offset + length);
        return random(2) === 0 ? `write -z ${offset} ${length}` : `write -z -u ${offset} ${length}`;
      }
      const pattern = 1 + random(255);
      this.content.fill(pattern, offset, offset + length);
      return `write -P ${pattern} ${offset} ${length}`;
    });
  }

  get sum(): string {
    return sumOf(this.content);
  }
}

export function sumOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
