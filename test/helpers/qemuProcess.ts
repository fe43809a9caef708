/**
 * A real QEMU program under test: started with one monitor on an inherited socket pair (its answer to the first command
 * says that start-up is over; no waiting for files) and one on a unix socket, which is the one to test with.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { QmpClient } from '../../lib/backend/qemu/qmp/qmpClient.js';
import { SocketWay } from '../../lib/backend/qemu/socketHost.js';
import { wroteByNbd } from './nbdWrites.js';
import { copyOfMade } from './newImage.js';

export interface QemuProcessOptions {
  /** The program; QEMU and QEMU_STORAGE_DAEMON in the environment pick other builds. */
  program: string;
  /** Arguments before the monitors'. Relative file names are relative to `folder`. */
  args: readonly string[];
  /** How this program wants a monitor on the chardev of that id. */
  monitor: (chardev: string) => string[];
  /** The chardev option of this program: '-chardev' or '--chardev'. */
  chardevOption: string;
  /** An existing folder to work in; by default a new one, removed at the end. */
  folder?: string | undefined;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

/** Signals by which a program ends itself. */
const CRASHES: readonly (string | null)[] = ['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGTRAP'];

export class QemuProcess {
  /** Somebody looked at how it ended. */
  #judged = false;

  private constructor(
    readonly child: ChildProcess,
    /** Working folder; sockets and images go here. */
    readonly folder: string,
    /** The monitor to test with; nobody is connected to it. */
    readonly qmpPath: string,
    /** The helper's own connection; for what a test does behind the product's back. */
    readonly control: QmpClient,
    private readonly exit: Promise<Exit>,
    private readonly ownFolder: boolean,
  ) {}

  static async start(options: QemuProcessOptions): Promise<QemuProcess> {
    const folder = options.folder ?? (await makeFolder());
    const qmpPath = path.join(folder, 'qmp.sock');
    const { chardevOption: chardev } = options;
    const args = [
      ...options.args,
      ...[chardev, 'socket,id=own,fd=3', ...options.monitor('own')],
      ...[chardev, `socket,id=qmp,path=${qmpPath},server=on,wait=off`, ...options.monitor('qmp')],
    ];
    const child = spawn(options.program, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const exit = new Promise<Exit>((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal, stderr }));
      child.once('error', (error) => resolve({ code: null, signal: null, stderr: error.message }));
    });
    try {
      const socket = child.stdio[3] as unknown as net.Socket;
      const control = await QmpClient.connect(socket, { name: 'control monitor', timeoutMs: 30_000 });
      return new QemuProcess(child, folder, qmpPath, control, exit, options.folder === undefined);
    } catch (cause) {
      child.kill('SIGKILL');
      throw new Error(`${options.program} did not start: ${(await exit).stderr}`, { cause });
    }
  }

  /** A client on the monitor under test. */
  connect(options: Parameters<typeof QmpClient.connect>[1] = {}): Promise<QmpClient> {
    return new SocketWay(this.qmpPath).connect(options);
  }

  /** A path in the working folder. */
  file(name: string): string {
    return path.join(this.folder, name);
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  /** Clean stop (bitmaps are stored); gives the exit and all of stderr. */
  terminate(): Promise<Exit> {
    this.child.kill('SIGTERM');
    return this.exit;
  }

  /** The crash test. */
  kill(): Promise<Exit> {
    this.child.kill('SIGKILL');
    return this.exit;
  }

  /** Settles when the process has ended by itself. */
  get ended(): Promise<Exit> {
    this.#judged = true;
    return this.exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.kill();
    await this.control.close();
    if (this.ownFolder) await rm(this.folder, { recursive: true, force: true });
    // A crash is why a test failed, or why it should have.
    const { signal, stderr } = await this.exit;
    if (!this.#judged && CRASHES.includes(signal))
      throw new Error(`${this.child.spawnfile} ended itself with ${signal}: ${stderr}`);
  }
}

/** A new folder with a short path: socket paths hold 107 bytes. */
export function makeFolder(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), 'cbt-'));
}

/** Runs a program to its end; throws with its stderr when it fails. */
export async function run(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
  return stdout;
}

const QEMU_IMG = process.env['QEMU_IMG'] ?? 'qemu-img';
const QEMU_IO = process.env['QEMU_IO'] ?? 'qemu-io';

export async function qemuImg(args: readonly string[], cwd?: string): Promise<string> {
  const plain = (...args: string[]): Promise<string> => run(QEMU_IMG, args, cwd);
  return (await copyOfMade(args, plain)) ? '' : plain(...args);
}

/** qemu-io commands on an NBD export ("guest writes"), each one line such as 'write -P 7 0 64k'; gives what it prints of others than writes. */
export async function nbdIo(
  socketPath: string,
  exportName: string,
  commands: readonly string[],
): Promise<string> {
  if (await wroteByNbd(socketPath, exportName, commands)) return '';
  const image = `nbd+unix:///${encodeURIComponent(exportName)}?socket=${encodeURIComponent(socketPath)}`;
  return run(QEMU_IO, ['-f', 'raw', ...commands.flatMap((command) => ['-c', command]), image]);
}
