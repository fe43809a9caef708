/**
 * A VM's life in a folder, and what must be true of it: two disks, each a small qcow2 image whose content is known to the
 * byte, copies of them, a backup folder, and every point in time with what its disk held then. Answers are asked for as a
 * script asks for them, of the command; an answer may be refused, and must never be short.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { cli } from '../helpers/cli.js';
import { eventually } from '../helpers/eventually.js';
import { qemuImg, qemuIo } from '../helpers/qemuTools.js';
import type { SmallFileSystem } from '../helpers/smallFileSystem.js';
import { StorageDaemon } from '../helpers/storageDaemon.js';

export const UNIT = 65_536;
export const UNITS = 32;
export const NAMES = ['a', 'b'] as const;

/** Commands whose steps ask for what may make no sense by then: a disk tracked already, the only point, a session that ended. */
const MAY_BE_MISUSE = ['enable', 'forget', 'commit', 'rollback', 'changes'];

/** A file, wherever it lies and whatever it is called: what it holds, a value a unit. */
export interface ImageState {
  units: Uint8Array;
}

/** What a disk held at a point in time: by the disk's changeId, which names history and instant. */
export interface Moment {
  changeId: string;
  pit: string;
  units: Uint8Array;
}

/** A run of the backup folder, with what it must restore to. */
export interface Run {
  run: number;
  pit: string;
  disks: Map<string, Uint8Array>;
}

export class World {
  readonly images = new Map<string, ImageState>();
  /** Files beside: copies of an image at rest. */
  readonly copies: { file: string; state: ImageState }[] = [];
  readonly moments: Moment[] = [];
  runs: Run[] = [];
  readonly log: string[] = [];
  daemon: StorageDaemon | null = null;
  /** No byte is free where it lives; nobody writes then, for what becomes of such a write nobody could say. */
  full = false;
  #copy = 0;
  #value = 0;

  constructor(
    readonly folder: string,
    readonly random: (below: number) => number,
    readonly space: SmallFileSystem | null = null,
  ) {}

  async create(): Promise<void> {
    for (const name of NAMES) {
      await qemuImg('create', '-q', '-f', 'qcow2', this.image(name), String(UNIT * UNITS));
      this.images.set(name, { units: new Uint8Array(UNITS) });
    }
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

  note(text: string): void {
    this.log.push(text);
  }

  // ---- the guest ----

  /** One to three writes, in units or parts of them, to a disk of the VM, running or off. */
  async write(name: string): Promise<void> {
    if (this.full) return;
    const state = this.state(name);
    const commands: string[] = [];
    for (let n = 1 + this.random(3); n > 0; n -= 1) {
      const at = this.random(UNITS);
      this.#value = (this.#value % 250) + 1;
      const value = this.random(5) === 0 ? 0 : this.#value;
      commands.push(value === 0 ? `write -z ${at * UNIT} ${UNIT}` : `write -P ${value} ${at * UNIT} ${UNIT}`);
      state.units[at] = value;
    }
    if (this.daemon === null) await qemuIo(['-f', 'qcow2', this.image(name)], ...commands);
    else await this.daemon.guestIo(name, ...commands, 'flush');
  }

  async start(): Promise<void> {
    // As a VM's sockets are: the same at every start.
    const folder = join(this.folder, 'vm');
    await mkdir(folder, { recursive: true });
    this.daemon = await StorageDaemon.start({
      folder,
      disks: NAMES.map((node) => ({ node, file: this.image(node) })),
    });
    await this.daemon.exportWritable(...NAMES);
  }

  async stop(): Promise<void> {
    const { daemon } = this;
    this.daemon = null;
    await daemon?.process.terminate();
    await daemon?.[Symbol.asyncDispose]();
  }

  async crash(): Promise<void> {
    const { daemon } = this;
    this.daemon = null;
    await daemon?.process.kill();
    await daemon?.[Symbol.asyncDispose]();
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
    this.#copy += 1;
    const file = join(this.folder, `copy-${this.#copy}.qcow2`);
    await promisify(execFile)('cp', ['--reflink=auto', this.image(name), file]);
    this.copies.push({ file, state: { units: Uint8Array.from(this.state(name).units) } });
  }

  /** An older file of any disk takes the place of this one. */
  async putBack(name: string, index: number): Promise<void> {
    const copy = this.copies[index];
    if (copy === undefined) throw new Error(`no copy ${index}`);
    await promisify(execFile)('cp', ['--reflink=auto', copy.file, `${this.image(name)}.new`]);
    await rename(`${this.image(name)}.new`, this.image(name));
    this.images.set(name, { units: Uint8Array.from(copy.state.units) });
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
    return this.daemon === null
      ? NAMES.map((name) => this.image(name))
      : ['--vm', this.daemon.process.qmpPath, '--nbd-socket', this.daemon.nbdPath, '--scratch', this.folder];
  }

  disk(name: string): string[] {
    return this.daemon === null
      ? [this.image(name)]
      : [`qmp:${this.daemon.process.qmpPath}#${name}`, '--nbd-socket', this.daemon.nbdPath];
  }

  /** Which of our disks a result speaks of. */
  nameOf(disk: string): string {
    const name = NAMES.find((one) => disk === one || disk === this.image(one));
    if (name === undefined) throw new Error(`a result speaks of ${disk}`);
    return name;
  }

  /** A command that must be done or refused: any end but a crash of ours, or a usage error where none is expected. */
  async ask(...argv: string[]): Promise<{ code: number; result: unknown; said: string }> {
    const { code, stdout, stderr } = await cli(...argv, '--json');
    const said = stderr.trim().replaceAll(this.folder, '.');
    this.note(`${argv.join(' ').replaceAll(this.folder, '.')} -> ${code} ${said.slice(0, 200)}`);
    const told = stdout.trim() === '' ? null : JSON.parse(stdout);
    if (code === 1 || (code === 2 && !MAY_BE_MISUSE.includes(argv[0] ?? '')))
      throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr}${stdout}`);
    return { code, result: told, said };
  }

  /** Waits until nothing that somebody who was killed had started is at work here: helpers end with him, guards when they have mended. */
  async quiet(): Promise<void> {
    await eventually(async () => {
      const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid,stat,args', '-ww']);
      const own = String(this.daemon?.process.pid);
      const left = stdout
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line.includes(this.folder) && !/^\d+ Z/.test(line) && !line.includes('ps -eo'))
        .filter((line) => line.split(' ')[0] !== own);
      expect(left, 'processes left').toEqual([]);
    });
  }

  remember(name: string, point: { changeId?: string; pit: string | null }): void {
    if (point.changeId === undefined || point.pit === null) return;
    const units = Uint8Array.from(this.state(name).units);
    const known = this.moments.find(({ changeId }) => changeId === point.changeId);
    if (known !== undefined) throw new Error(`the changeId ${known.changeId} was given out twice`);
    this.moments.push({ changeId: point.changeId, pit: point.pit, units });
  }

  async content(file: string): Promise<Uint8Array> {
    const raw = `${file}.${this.#value}.raw`;
    await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', file, raw);
    try {
      return unitsOf(await readFile(raw));
    } finally {
      await rm(raw);
    }
  }
}

/** The value of each unit; a unit that is not of one value is a mistake of somebody. */
export function unitsOf(bytes: Buffer): Uint8Array {
  if (bytes.length !== UNIT * UNITS) throw new Error(`${bytes.length} bytes instead of ${UNIT * UNITS}`);
  return Uint8Array.from({ length: UNITS }, (_, at) => {
    const unit = bytes.subarray(at * UNIT, (at + 1) * UNIT);
    const [value = 0] = unit;
    if (unit.compare(Buffer.alloc(UNIT, value)) !== 0) throw new Error(`unit ${at} is torn`);
    return value;
  });
}
