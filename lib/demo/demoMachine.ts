/**
 * A VM for whoever has none: a storage daemon with one disk that a guest-like writer changes all the time, and what can be done to it as
 * to a real one. What it holds is drawn from a seed, so that it is the same every time.
 */
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskData } from '../core/diskData.js';
import { CbtError } from '../core/errors.js';
import { openData } from '../host/data.js';
import { qemuImg } from '../host/imageTool.js';
import { openVm } from '../host/openVm.js';
import { isMissing } from '../linux/fileFault.js';
import { findProgram } from '../linux/program.js';
import { RunningProgram } from '../linux/runningProgram.js';

const PROGRAM = {
  name: 'qemu-storage-daemon',
  variable: 'QEMU_STORAGE_DAEMON',
  packages: 'qemu-system-common (Debian, Ubuntu) or qemu-img (Fedora, RHEL)',
};
/** Name of its disk, and of the node behind it. */
export const DISK = 'vda';
/** The guest's way to it. */
const EXPORT = 'guest';
const START_MS = 30_000;
const LOOK_MS = 20;
const WRITE_EVERY_MS = 250;
const PIECE = 65_536;

/** Numbers from 0 to 1, the same for the same seed (Mulberry32). */
export function drawing(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface DemoMachineOptions {
  folder: string;
  name: string;
  sizeBytes: number;
  seed: number;
}

/** The VM. It has its files under its name in the folder. */
export class DemoMachine {
  readonly qmp: string;
  readonly nbdSocket: string;
  readonly image: string;
  readonly #options: DemoMachineOptions;
  readonly #draw: () => number;
  #program: RunningProgram | null = null;
  #data: DiskData | null = null;
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #sizeBytes: number;

  constructor(options: DemoMachineOptions) {
    const { folder, name, sizeBytes, seed } = options;
    this.#options = options;
    this.#sizeBytes = sizeBytes;
    this.#draw = drawing(seed);
    this.image = join(folder, `${name}.qcow2`);
    this.qmp = join(folder, `${name}.qmp`);
    this.nbdSocket = join(folder, `${name}.nbd`);
  }

  /** Makes its image, with something on it. */
  async create(): Promise<void> {
    await qemuImg(['create', '-q', '-f', 'qcow2', this.image, String(this.#sizeBytes)]);
    await this.start();
    for (let n = 0; n < 16; n += 1) await this.#write();
    await this.stop();
  }

  /** Starts it; its guest begins to write with {@link run}. */
  async start(): Promise<void> {
    const file = findProgram(PROGRAM);
    for (const path of [this.qmp, this.nbdSocket])
      await unlink(path).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    const disk = { driver: 'qcow2', 'node-name': DISK, file: { driver: 'file', filename: this.image } };
    const program = RunningProgram.start(file, [
      '--chardev',
      `socket,id=qmp,path=${this.qmp},server=on,wait=off`,
      '--monitor',
      'chardev=qmp',
      '--blockdev',
      JSON.stringify(disk),
      '--nbd-server',
      `addr.type=unix,addr.path=${this.nbdSocket}`,
      '--export',
      `type=nbd,id=${EXPORT},node-name=${DISK},name=${DISK},writable=on`,
    ]);
    this.#program = program;
    this.#data = await this.#connect(program);
  }

  /** The guest as it writes: a piece somewhere, four times a second. */
  run(): void {
    this.#timer = setInterval(() => {
      // A machine that is just being harmed has no guest that writes.
      this.#writing = this.#writing.then(() => this.#write()).catch(() => undefined);
    }, WRITE_EVERY_MS);
  }

  /** An end in order: bitmaps are stored. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** `kill -9` and a start: every bitmap is inconsistent. */
  async crash(): Promise<void> {
    const isRunning = this.#timer !== undefined;
    await this.#end('SIGKILL');
    await this.start();
    if (isRunning) this.run();
  }

  /** The newest bitmap of ours is removed, as by somebody with another tool. */
  async loseBitmap(): Promise<void> {
    await this.#told(async (command) => {
      const nodes = (await command('query-named-block-nodes')) as {
        'node-name'?: string;
        'dirty-bitmaps'?: { name?: string; recording: boolean }[];
      }[];
      const bitmaps = nodes.find((node) => node['node-name'] === DISK)?.['dirty-bitmaps'] ?? [];
      const newest = bitmaps.find(({ name = '', recording }) => recording && name.startsWith('cbt1.'));
      if (newest !== undefined) await command('block-dirty-bitmap-remove', { node: DISK, name: newest.name });
    });
  }

  /** The disk grows by a sixteenth. QEMU resizes nothing that it exports: the guest is without its disk meanwhile. */
  async grow(): Promise<void> {
    const size = this.#sizeBytes + Math.max(PIECE, Math.floor(this.#options.sizeBytes / 16));
    const isRunning = this.#timer !== undefined;
    await this.#pause();
    try {
      await this.#told(async (command) => {
        await command('block-export-del', { id: EXPORT, mode: 'hard' });
        const exported = async (): Promise<boolean> =>
          ((await command('query-block-exports')) as { id: string }[]).some(({ id }) => id === EXPORT);
        while (await exported()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
        try {
          await command('block_resize', { 'node-name': DISK, size });
          this.#sizeBytes = size;
        } finally {
          const guest = { type: 'nbd', id: EXPORT, 'node-name': DISK, name: DISK, writable: true };
          await command('block-export-add', guest);
        }
      });
    } finally {
      if (this.#program !== null) this.#data = await this.#connect(this.#program);
      if (isRunning) this.run();
    }
  }

  /** Tracking of it begins anew, as by another program on this machine. */
  async newEpoch(): Promise<void> {
    await using vm = await openVm({ address: this.qmp });
    await vm.reset({ disks: [DISK] });
  }

  async #told<T>(
    work: (command: (name: string, args?: object) => Promise<unknown>) => Promise<T>,
  ): Promise<T> {
    await using vm = await openVm({ address: this.qmp });
    return await work((name, args) => vm.qmp(name, args));
  }

  async #write(): Promise<void> {
    const pieces = Math.floor(this.#sizeBytes / PIECE);
    const at = Math.floor(this.#draw() * pieces) * PIECE;
    const content = Buffer.alloc(PIECE, 1 + Math.floor(this.#draw() * 255));
    await this.#data?.write(at, content);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const program = this.#program;
    this.#program = null;
    // The daemon waits for its clients.
    await this.#pause();
    program?.kill(signal);
    await program?.exit;
  }

  /** No guest writes, or is connected. */
  async #pause(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#writing;
    const data = this.#data;
    this.#data = null;
    await data?.close().catch(() => undefined);
  }

  /** Waits until its export is there. */
  async #connect(program: RunningProgram): Promise<DiskData> {
    const until = performance.now() + START_MS;
    let ended = false;
    void program.exit.then(() => {
      ended = true;
    });
    for (;;) {
      try {
        return await openData({ kind: 'unix', path: this.nbdSocket, exportName: DISK });
      } catch (error) {
        if (ended || performance.now() > until)
          throw new CbtError(
            'ERR_CBT_BACKEND_UNAVAILABLE',
            `${PROGRAM.name} did not start: ${program.stderr.trim() || (error as Error).message}`,
            { cause: error },
          );
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
