/** The guest of a random history: its two disks, the QEMU that has them now, and writers that never rest. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { removeExport } from '../../lib/backend/qemu/own/exports.js';
import type { DiskData } from '../../lib/core/diskData.js';
import type { Vm } from '../../lib/core/vm.js';
import { openData } from '../../lib/host/data.js';
import { connectVm } from '../../lib/host/vm.js';
import { GuestWriter, PAGE } from './guestWriter.js';
import { BLOCK, HistoryDisk, NOISE, quietPage } from './historyDisk.js';
import { qemuImg } from './qemuTools.js';
import { StorageDaemon } from './storageDaemon.js';

const GIB = 2 ** 30;
/** 128 GiB from both sides, odd sizes, and small ones. */
export const HISTORY_SIZES = [
  64 * 2 ** 20,
  96 * 2 ** 20 + 1536,
  128 * GIB - 4 * PAGE,
  128 * GIB + 512,
  129 * GIB,
];
const NAMES = ['a', 'b'] as const;

export class LiveGuest {
  readonly disks = NAMES.map((name) => new HistoryDisk(name, HISTORY_SIZES[0]!));
  daemon!: StorageDaemon;
  vm!: Vm;
  writers: GuestWriter[] = [];
  #value = 1_000_000;

  constructor(
    readonly folder: string,
    private readonly random: (below: number) => number,
  ) {}

  image(name: string): string {
    return join(this.folder, `${name}.qcow2`);
  }

  async createImages(): Promise<void> {
    for (const { name, sizeBytes } of this.disks)
      await qemuImg('create', '-q', '-f', 'qcow2', this.image(name), String(sizeBytes));
  }

  async start(): Promise<void> {
    this.daemon = await StorageDaemon.start({
      disks: NAMES.map((node) => ({ node, file: this.image(node), options: { discard: 'unmap' } })),
    });
    await this.daemon.exportWritable(...NAMES);
    this.vm = await connectVm(this.daemon.process.qmpPath, { nbdSocket: this.daemon.nbdPath });
    await this.startWriters();
  }

  async startWriters(): Promise<void> {
    this.writers = await Promise.all(
      this.disks.map((disk) =>
        GuestWriter.start(this.daemon.nbdPath, disk.name, {
          ...NOISE,
          seed: this.random(2 ** 31),
          onWrite: (offset, length) => disk.touch(offset, length),
        }),
      ),
    );
  }

  async stopWriters(): Promise<void> {
    for (const [index, writer] of this.writers.entries()) {
      await writer.stop();
      expect(writer.failed).toBeNull();
      const disk = this.disks[index]!;
      writer.values().forEach((value, page) => {
        disk.set(NOISE.zoneBytes + page * PAGE, value);
      });
    }
    this.writers = [];
  }

  async writes(): Promise<void> {
    for (const disk of this.disks) {
      await using data = await openData({
        kind: 'unix',
        path: this.daemon.nbdPath,
        exportName: disk.name,
      });
      const pages = disk.quietPages();
      for (let n = this.random(6); n > 0; n -= 1) {
        const offset = pages[this.random(pages.length)]!;
        const kind = this.random(5);
        if (kind === 0) await this.#discard(disk, data, Math.floor(offset / BLOCK) * BLOCK);
        else {
          const value = kind === 1 ? 0 : this.#value++;
          disk.touch(offset, PAGE);
          if (value === 0) await data.zero(Float64Array.of(offset, PAGE));
          else await data.write(offset, quietPage(value));
          disk.set(offset, value);
        }
      }
      await data.flush();
    }
    await Promise.all(this.writers.map((writer) => writer.progress(3)));
  }

  /** Whole clusters read as zeros once they are discarded. */
  async #discard(disk: HistoryDisk, data: DiskData, offset: number): Promise<void> {
    if (offset + BLOCK > disk.sizeBytes) return;
    disk.touch(offset, BLOCK);
    await data.trim(Float64Array.of(offset, BLOCK));
    for (let at = offset; at < offset + BLOCK; at += PAGE) disk.set(at, 0);
  }

  /** While nobody writes. What becomes of the disk is what QEMU makes of it. */
  async resize(disk: HistoryDisk, sizeBytes: number): Promise<void> {
    const { control } = this.daemon.process;
    await removeExport(control, `guest-${disk.name}`);
    await control.execute('block_resize', { 'node-name': disk.name, size: sizeBytes });
    const again = { type: 'nbd', id: `guest-${disk.name}`, 'node-name': disk.name, name: disk.name };
    await control.execute('block-export-add', { ...again, writable: true });
    const was = disk.sizeBytes;
    disk.resize(sizeBytes);
    await this.#readGrown(disk, was);
  }

  /** QEMU does not zero the rest of a cluster that a shrink cut: after growing, what it held is there again. */
  async #readGrown(disk: HistoryDisk, wasBytes: number): Promise<void> {
    await using data = await openData({ kind: 'unix', path: this.daemon.nbdPath, exportName: disk.name });
    const pages = disk.pagesOf(await data.readRanges(disk.zones()));
    const border = Math.ceil(wasBytes / BLOCK) * BLOCK;
    for (const offset of disk.quietPages()) {
      const value = pages.get(offset) ?? 0;
      if (offset + PAGE > wasBytes && offset < border) disk.set(offset, value);
      expect(value, `page at ${offset}`).toBe(disk.pages.get(offset) ?? 0);
    }
  }
}
