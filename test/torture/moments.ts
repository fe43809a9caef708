/**
 * A command does its n-th thing to the outside, and then it is killed, its QEMU is, its helpers are, its link to QEMU is cut,
 * the disk is full from there on, or one file may not be touched. Each such moment is tried in a VM with the same past, which is
 * made once and then copied back, under the same paths.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { expect } from 'vitest';
import { seededRandom } from '../helpers/guestWriter.js';
import type { Operation } from './operations.js';
import { mendByDoctor, reckon } from './questions.js';
import type { RestingImages } from './restingImages.js';
import type { Space } from './space.js';
import { backup, learnRuns } from './steps.js';
import { expectNoWarningsIn } from './warnings.js';
import { type Known, NAMES, World } from './world.js';

const COMMAND = resolve(import.meta.dirname, '../../bin/qemu-cbt.js');
const INJECT = join(import.meta.dirname, 'inject.cjs');
/** A command that hangs is a finding. */
const LIMIT_MS = 180_000;

export const KINDS = ['kill', 'qemu', 'helper', 'cut', 'full', 'denied'] as const;
export type Kind = (typeof KINDS)[number];

/** The faults that can come to it. */
export function kindsOf({ on }: Operation): Kind[] {
  return KINDS.filter((kind) => on || (kind !== 'qemu' && kind !== 'cut'));
}

export interface Ended {
  code: number | null;
  said: string;
  /** Things done to the outside. */
  effects: number;
}

export class Moments implements AsyncDisposable {
  private constructor(
    private readonly space: Space,
    private readonly resting: RestingImages,
    private readonly saved: string,
    private readonly known: Known,
  ) {}

  /** A VM with a past: tracked, three runs in its folder, changes since. */
  static async prepare(seed: number, space: Space, resting: RestingImages): Promise<Moments> {
    const world = new World(space.path, seededRandom(seed), resting);
    await world.create();
    for (const name of NAMES) await world.write(name);
    for (let run = 0; run < 3; run += 1) {
      await backup(world);
      await world.write('a');
    }
    expect(world.runs).toHaveLength(3);
    for (const name of NAMES) await world.write(name);
    const saved = await mkdtemp(join(dirname(space.path), 'saved-'));
    await cp(space.path, saved, { recursive: true });
    await space.clear();
    return new Moments(space, resting, saved, world.known);
  }

  /** How many things it does to the outside when nothing fails. */
  async count(operation: Operation, seed: number): Promise<number> {
    let effects = 0;
    await this.#inWorld(seed, operation, async (world) => {
      const argv = await operation.prepare(world);
      const ended = await fail(world, argv, 'count', 0);
      expect(ended.code, ended.said).toBe(0);
      ({ effects } = ended);
      // With fewer it would not do its work by programs and files.
      expect(effects).toBeGreaterThanOrEqual(3);
      await this.#mend(world, operation, 'kill', argv);
    });
    return effects;
  }

  /** Whether it was done whole, or the next one mended it. Throws for everything else, with the seed and what happened. */
  async try(operation: Operation, kind: Kind, at: number, seed: number): Promise<'whole' | 'mended'> {
    let outcome: 'whole' | 'mended' = 'mended';
    await this.#inWorld(seed, operation, async (world) => {
      const argv = await operation.prepare(world);
      const { code, said } = await fail(world, argv, kind, at);
      expect(code, said).not.toBe(1);
      expectNoWarningsIn(said);
      if (code === 0) outcome = 'whole';
      await this.#mend(world, operation, kind, argv);
    });
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.saved, { recursive: true });
  }

  async #inWorld(
    seed: number,
    { name, on }: Operation,
    work: (world: World) => Promise<void>,
  ): Promise<void> {
    const world = new World(this.space.path, seededRandom(seed), this.resting);
    await cp(this.saved, world.folder, { recursive: true });
    world.known = this.known;
    world.pruning = name === 'prune';
    try {
      if (on) await world.start();
      await work(world);
    } catch (cause) {
      throw new Error(`seed ${seed}:\n${world.log.slice(-40).join('\n')}\n${(cause as Error).message}`, {
        cause,
      });
    } finally {
      await world.crash();
      await world.quiet();
      await this.space.clear();
    }
  }

  /** Whoever comes next: the VM is started again where it died, doctor mends, the same work goes through. */
  async #mend(world: World, operation: Operation, kind: Kind, argv: readonly string[]): Promise<void> {
    if (kind === 'qemu' && world.machine !== null) {
      await world.crash();
      await world.quiet();
      await mendByDoctor(world);
      await world.start();
    }
    await world.quiet();
    await mendByDoctor(world);
    if (operation.ends) await world.ask(...argv);
    await learnRuns(world, operation.name.startsWith('backup'));
    await operation.again?.(world);
    await reckon(world, { runs: !(await this.#sameRuns(world)) });
    await world.quiet();
  }

  /** A backup folder that is to the byte what it was at first has been reckoned with. */
  async #sameRuns({ backups }: World): Promise<boolean> {
    const before = join(this.saved, 'backups');
    const names = await readdir(before);
    if ((await readdir(backups)).join('/') !== names.join('/')) return false;
    for (const name of names) {
      if ((await stat(join(before, name))).size !== (await stat(join(backups, name))).size) return false;
      const [was, is] = await Promise.all([before, backups].map((folder) => readFile(join(folder, name))));
      if (is === undefined || !was?.equals(is)) return false;
    }
    return true;
  }
}

async function fail(world: World, argv: readonly string[], kind: Kind | 'count', at: number): Promise<Ended> {
  const report = join(world.folder, 'fault.json');
  const { machine } = world;
  const fault = { kind, at, report, qmp: machine?.process.qmpPath, qemu: machine?.process.pid };
  const child = spawn(process.execPath, ['--require', INJECT, COMMAND, ...argv], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, CBT_FAULT: JSON.stringify(fault) },
    timeout: LIMIT_MS,
    killSignal: 'SIGABRT',
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (signal === 'SIGABRT') throw new Error(`${argv[0]} hangs when ${kind} comes at ${at}: ${said}`);
  const { effects } = JSON.parse(await readFile(report, 'utf8')) as Ended;
  await rm(report, { force: true });
  world.note(`${argv[0]} with ${kind} at ${at} -> ${code ?? signal} ${said.slice(0, 400)}`);
  return { code, said, effects };
}
