/**
 * A VM's life in a folder, and what must be true of it: two disks, each a small qcow2 image whose content is known to the
 * sector, copies of them, a backup folder, and every point in time with what its disk held then. Answers are asked for as a
 * script asks for them, of the command; an answer may be refused, and must never be short.
 */
import { copyFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cliWith } from '../helpers/cli.js';
import { hasOpenIn, numbers, running } from '../helpers/processes.js';
import { qemuImg } from '../helpers/qemuTools.js';
import { expectContents, SECTOR } from './contents.js';
import { Machine } from './machine.js';
import type { RestingImages } from './restingImages.js';
import type { Space } from './space.js';

/** What most images are long at first. */
const FIRST_SECTORS = 4096;
/** QEMU's own choice as often as all others. */
const CLUSTERS = ['512', '4k', '16k', '256k', '64k', '64k', '64k', '64k'];
export const NAMES = ['a', 'b'] as const;

/** Commands whose steps ask for what may make no sense by then: a disk tracked already, the only point, a session that ended, a run that a prune took. */
const MAY_BE_MISUSE = ['enable', 'forget', 'commit', 'rollback', 'changes', 'restore'];
/** A signal is for the program that tries all this (endAsked.ts), not for the command that it has at work. */
const NEVER = new AbortController().signal;
/** For what is about to end to have ended. */
const PATIENCE_MS = 60_000;
const LOOK_FIRST_MS = 5;
const LOOK_LAST_MS = 100;

/** A file, wherever it lies and whatever it is called: what it holds, and what others keep in it. */
export interface ImageState {
  sectors: Uint8Array;
  /** Bitmaps of somebody else, with what the disk held when they began to record. */
  foreign: Map<string, Uint8Array>;
  snapshots: Map<string, Uint8Array>;
  clusterSectors: number;
  /** It is shorter than at its last point in time: growing now would leave no trace (docs/operating.md, Resize). */
  shrunk: boolean;
}

/** What a disk held at a point in time: by the disk's changeId, which names history and instant. */
export interface Moment {
  changeId: string;
  pit: string;
  sectors: Uint8Array;
}

/** A run of the backup folder, with what it must restore to. */
export interface Run {
  run: number;
  pit: string;
  disks: Map<string, Uint8Array>;
}

/** What a world of the same files starts from again. */
export interface Known {
  images: Map<string, ImageState>;
  moments: Moment[];
  runs: Run[];
  value: number;
}

const copyOf = ({ sectors, foreign, snapshots, clusterSectors, shrunk }: ImageState): ImageState => ({
  sectors: Uint8Array.from(sectors),
  foreign: new Map(foreign),
  snapshots: new Map(snapshots),
  clusterSectors,
  shrunk,
});

export class World {
  readonly images = new Map<string, ImageState>();
  /** Files beside: copies of an image at rest. */
  readonly copies: { file: string; state: ImageState }[] = [];
  /** The backup folder as it was. */
  readonly folders: { path: string; runs: Run[]; pruning: boolean }[] = [];
  moments: Moment[] = [];
  runs: Run[] = [];
  /** A prune did not come to its end: what it began may go on with any later command on the folder. */
  pruning = false;
  readonly log: string[] = [];
  machine: Machine | null = null;
  /** No byte is free where it lives; nobody writes then, for what becomes of such a write nobody could say. */
  full = false;
  /** Processes that were there before any of this world's. */
  readonly #others = numbers();
  /** For names that are given once. */
  #named = 0;
  #value = 0;

  constructor(
    readonly folder: string,
    readonly random: (below: number) => number,
    readonly resting: RestingImages,
    readonly space: Space | null = null,
  ) {}

  async create(): Promise<void> {
    for (const name of NAMES) {
      const cluster = this.pick(CLUSTERS);
      const form = ['-f', 'qcow2', '-o', `cluster_size=${cluster}`];
      await qemuImg('create', '-q', ...form, this.image(name), String(FIRST_SECTORS * SECTOR));
      const clusterSectors = cluster === '512' ? 1 : 2 * Number.parseInt(cluster, 10);
      this.images.set(name, copyOf({ sectors: new Uint8Array(FIRST_SECTORS), clusterSectors, ...EMPTY }));
    }
  }

  /** What is known of it now, to come back to. */
  get known(): Known {
    const images = new Map([...this.images].map(([name, state]) => [name, copyOf(state)]));
    return { images, moments: [...this.moments], runs: [...this.runs], value: this.#value };
  }

  /** The files are what they were then. */
  set known({ images, moments, runs, value }: Known) {
    for (const [name, state] of images) this.images.set(name, copyOf(state));
    this.moments = [...moments];
    this.runs = [...runs];
    this.#value = value;
  }

  image(name: string): string {
    return join(this.folder, `${name}.qcow2`);
  }

  get backups(): string {
    return join(this.folder, 'backups');
  }

  state(name: string): ImageState {
    const state = this.images.get(name);
    if (state === undefined) throw new Error(`no image ${name}`);
    return state;
  }

  pick<T>(of: readonly T[]): T {
    const picked = of[this.random(of.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  /** A name that nothing here has had. */
  newName(kind: string): string {
    this.#named += 1;
    return `${kind}-${this.#named}`;
  }

  note(text: string): void {
    this.log.push(text);
  }

  // ---- the guest ----

  /** One to three writes of a sector and more to a disk of the VM, running or off, or to a layer that somebody put on it. */
  async write(name: string, file = this.image(name)): Promise<void> {
    if (this.full) return;
    const { sectors } = this.state(name);
    const { machine } = this;
    const writes: { at: number; count: number; value: number }[] = [];
    for (let n = 1 + this.random(3); n > 0; n -= 1) {
      const at = this.random(sectors.length);
      const most = this.random(2) === 0 ? 1 + this.random(200) : 128 - (at % 128);
      this.#value = (this.#value % 250) + 1;
      const value = this.random(5) === 0 ? 0 : this.#value;
      const count = Math.min(most, sectors.length - at);
      writes.push({ at, count, value });
      sectors.fill(value, at, at + count);
    }
    const apply = async (disk: Awaited<ReturnType<Machine['guest']>>): Promise<void> => {
      for (const { at, count, value } of writes) {
        const [offset, length] = [at * SECTOR, count * SECTOR];
        if (value === 0) await disk.zero(Float64Array.of(offset, length));
        else await disk.write(offset, Buffer.alloc(length, value));
      }
      await disk.flush();
    };
    if (machine === null) await this.resting.open(file, 'write', apply);
    else await apply(await machine.guest(name));
  }

  async start(kind: 'storageDaemon' | 'system' = 'storageDaemon'): Promise<void> {
    this.machine = await Machine[kind](join(this.folder, 'vm'), this.disks);
  }

  get disks(): { name: string; file: string }[] {
    return NAMES.map((name) => ({ name, file: this.image(name) }));
  }

  async stop(): Promise<void> {
    const { machine } = this;
    this.machine = null;
    await machine?.stop();
  }

  async crash(): Promise<void> {
    const { machine } = this;
    this.machine = null;
    await machine?.kill();
  }

  /** Takes every free byte while something is done. */
  async whileFull(work: () => Promise<void>): Promise<void> {
    if (this.space === null) throw new Error('this world has no file system of its own');
    await this.space.fill();
    this.full = true;
    try {
      await work();
    } finally {
      this.full = false;
      await this.space.empty();
    }
  }

  // ---- what people do to files ----

  async copyAside(name: string): Promise<void> {
    const file = join(this.folder, `${this.newName('copy')}.qcow2`);
    await copyFile(this.image(name), file);
    this.copies.push({ file, state: copyOf(this.state(name)) });
  }

  /** An older file of any disk takes the place of this one. */
  async putBack(name: string, index: number): Promise<void> {
    const copy = this.copies[index];
    if (copy === undefined) throw new Error(`no copy ${index}`);
    await copyFile(copy.file, `${this.image(name)}.new`);
    await rename(`${this.image(name)}.new`, this.image(name));
    this.images.set(name, copyOf(copy.state));
  }

  async exchange(): Promise<void> {
    const [a, b] = NAMES.map((name) => this.image(name)) as [string, string];
    await rename(a, `${a}.tmp`);
    await rename(b, a);
    await rename(`${a}.tmp`, b);
    const [first, second] = NAMES.map((name) => this.state(name)) as [ImageState, ImageState];
    this.images.set(NAMES[0], second);
    this.images.set(NAMES[1], first);
  }

  // ---- the product ----

  /** How a command is told of the VM or of its images. */
  subjects(): string[] {
    return this.machine === null
      ? NAMES.map((name) => this.image(name))
      : [...this.vm(), '--nbd-socket', this.machine.nbdPath, '--scratch', this.folder];
  }

  /** The same for those that have no use for a scratch place: `--nbd-socket` and `--scratch` are for sessions only. */
  subjectsOfTracking(): string[] {
    return this.machine === null ? this.subjects() : this.vm();
  }

  vm(): string[] {
    return ['--vm', this.machine?.process.qmpPath ?? ''];
  }

  disk(name: string): string[] {
    return this.machine === null ? [this.image(name)] : this.node(name);
  }

  /** A node of the running VM, or a disk by its name. */
  node(name: string): string[] {
    return [`qmp:${this.machine?.process.qmpPath}#${name}`, ...['--nbd-socket', this.machine?.nbdPath ?? '']];
  }

  /** Which of our disks a result speaks of. */
  nameOf(disk: string): string {
    const name = NAMES.find((one) => disk === one || disk === this.image(one));
    if (name === undefined) throw new Error(`a result speaks of ${disk}`);
    return name;
  }

  /** A command that must be done or refused: any end but a crash of ours, or a usage error where none is expected. */
  async ask(...argv: string[]): Promise<{ code: number; result: unknown; said: string }> {
    const { code, stdout, stderr } = await cliWith({ signal: NEVER }, ...argv, '--json');
    const told = stdout.trim() === '' ? null : JSON.parse(stdout);
    const errors = ((told?.disks ?? []) as { error?: unknown }[]).flatMap(({ error }) => error ?? []);
    const more = errors.length > 0 ? JSON.stringify(errors) : code !== 0 ? stdout : '';
    const said = `${stderr}${more}`.trim().replaceAll(this.folder, '.');
    this.note(`${argv.join(' ').replaceAll(this.folder, '.')} -> ${code} ${said.slice(0, 300)}`);
    if (code === 1 || (code === 2 && !MAY_BE_MISUSE.includes(argv[0] ?? '')))
      throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr}${stdout}`);
    return { code, result: told, said };
  }

  /** Waits until nothing that somebody who was killed had started is at work here: helpers end with him, guards when they have mended. */
  async quiet(): Promise<void> {
    const until = Date.now() + PATIENCE_MS;
    for (let pause = LOOK_FIRST_MS; ; pause = Math.min(2 * pause, LOOK_LAST_MS)) {
      const own = this.machine?.process.pid;
      const left = running(this.#others).filter(
        ({ pid, command }) =>
          pid !== own &&
          (command.includes(this.folder) ||
            (command.includes('qemu-storage-daemon') && hasOpenIn(pid, this.folder))),
      );
      if (left.length === 0) return;
      if (Date.now() > until) throw new Error(`processes left: ${JSON.stringify(left)}`);
      await sleep(pause);
    }
  }

  /** A point in time was taken of a disk that holds what it holds now. */
  remember(name: string, point: { changeId?: string; pit: string | null }): void {
    if (point.changeId === undefined || point.pit === null) return;
    const state = this.state(name);
    this.rememberAs(name, {
      changeId: point.changeId,
      pit: point.pit,
      sectors: Uint8Array.from(state.sectors),
    });
  }

  rememberAs(name: string, moment: Moment): void {
    const known = this.moments.find(({ changeId }) => changeId === moment.changeId);
    if (known !== undefined) throw new Error(`the changeId ${known.changeId} was given out twice`);
    this.moments.push(moment);
    this.state(name).shrunk = false;
  }

  /** QEMU reads from the image what the guest wrote. */
  async expectContent(name: string): Promise<void> {
    const bytes = await this.resting.read(this.image(name));
    expectContents(bytes, this.state(name).sectors, `the content of ${name}`);
  }
}

const EMPTY = { foreign: new Map(), snapshots: new Map(), shrunk: false } as const;
