/** A process that runs a session and is killed in it. */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { SessionMode } from '../../lib/core/session.js';
import { type BuiltProgram, buildProgram } from './builtProgram.js';

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
  private constructor(private readonly program: BuiltProgram) {}

  static async build(): Promise<DoomedSessions> {
    return new DoomedSessions(
      await buildProgram(join(root, 'test/integration/backend/qemu/live/doomedSession.mjs')),
    );
  }

  /** True when it was killed, false when it got through. */
  async run(doom: Doom): Promise<boolean> {
    const told = { commands: Number.MAX_SAFE_INTEGER, ...doom };
    try {
      const { path, env } = this.program;
      await run(process.execPath, [path, JSON.stringify(told)], { env });
      return false;
    } catch (error) {
      const { signal, stderr } = error as { signal?: string; stderr?: string };
      if (signal === 'SIGKILL') return true;
      throw new Error(`the process failed by itself: ${stderr}`, { cause: error });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.program.remove();
  }
}
