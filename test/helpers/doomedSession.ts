/** A process that runs a session and is killed in it; it is no test itself, so it takes the built library. */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { SessionMode } from '../../lib/core/session.js';
import { libraryWithoutGuard } from './builtCommand.js';
import type { TemporaryFolder } from './temporaryFolder.js';

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
  private constructor(private readonly library: TemporaryFolder) {}

  static async build(): Promise<DoomedSessions> {
    return new DoomedSessions(await libraryWithoutGuard());
  }

  /** True when it was killed, false when it got through. */
  async run(doom: Doom): Promise<boolean> {
    const told = { built: this.library.path, commands: Number.MAX_SAFE_INTEGER, ...doom };
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.library.remove();
  }
}
