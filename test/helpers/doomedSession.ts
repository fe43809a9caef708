/** A process that runs a session and is killed in it: the library is compiled for it, because it is no test itself. */
import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { SessionMode } from '../../lib/core/session.js';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');

export interface Doom {
  /** The VM's QMP socket. */
  socket: string;
  nbdSocket: string | undefined;
  /** Folder for the session's files. */
  scratch: string;
  mode: SessionMode;
  /** Asks what changed since this point. */
  from: string;
  /** Dies right before this command to QEMU. */
  commands?: number;
  /** Dies as soon as the session is open. */
  dieOpen?: boolean;
}

export class DoomedSessions {
  readonly #built: string;

  private constructor(built: string) {
    this.#built = built;
  }

  static async build(): Promise<DoomedSessions> {
    // Below node_modules, so that the built library finds its dependencies.
    const built = join(root, 'node_modules', '.cache', `doomed-session-${process.pid}`);
    await mkdir(built, { recursive: true });
    const tsc = join(root, 'node_modules', '.bin', 'tsc');
    await run(tsc, ['-p', join(root, 'tsconfig.build.json'), '--outDir', built], { cwd: root });
    return new DoomedSessions(built);
  }

  /** True when it was killed, false when it got through. */
  async run(doom: Doom): Promise<boolean> {
    const told = { built: this.#built, commands: Number.MAX_SAFE_INTEGER, ...doom };
    const script = join(root, 'test/integration/backend/qemu/live/doomedSession.mjs');
    try {
      await run(process.execPath, [script, JSON.stringify(told)], {
        env: { ...process.env, QEMU_CBT_NBD_ADDON_PATH: join(root, 'build', 'Release', 'nbd.node') },
      });
      return false;
    } catch (error) {
      const { signal, stderr } = error as { signal?: string; stderr?: string };
      if (signal === 'SIGKILL') return true;
      throw new Error(`the process failed by itself: ${stderr}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#built, { recursive: true, force: true });
  }
}
