/** The wiring of qemu-img: makes, describes and resizes image files that no VM uses. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { findProgram } from '../linux/program.js';

const run = promisify(execFile);
const QEMU_IMG = {
  name: 'qemu-img',
  variable: 'QEMU_IMG',
  packages: 'qemu-utils (Debian) or qemu-img (Fedora)',
};
const MAX_OUTPUT_BYTES = 16 << 20;

/** Runs qemu-img without a shell; what it prints. Its refusal is `ERR_CBT_BACKEND_UNAVAILABLE` with its words. `passes`: exit codes that are answers. */
export async function qemuImg(
  args: readonly string[],
  options: { cwd?: string; signal?: AbortSignal | undefined; passes?: readonly number[] } = {},
): Promise<string> {
  throwIfAborted(options.signal);
  const program = findProgram(QEMU_IMG);
  const running = run(program, [...args], {
    maxBuffer: MAX_OUTPUT_BYTES,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const { child } = running;
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  try {
    return (await running).stdout;
  } catch (cause) {
    // One that is called off may still be writing: what it leaves is looked at when it is gone.
    if (child.pid !== undefined) await ended;
    throwIfAborted(options.signal);
    const failed = cause as Error & { stderr?: string; code?: number | string | null; stdout?: string };
    if (options.passes?.includes(Number(failed.code)) && failed.stdout !== undefined) return failed.stdout;
    const said = (failed.stderr ?? '').trim().replace(/^qemu-img: /, '') || failed.message;
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `qemu-img ${args[0] ?? ''} failed: ${said}`, {
      details: { exitCode: typeof failed.code === 'number' ? failed.code : null },
      cause,
    });
  }
}
