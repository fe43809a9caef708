/**
 * A QEMU program that holds an image open until it is told to go. It is ready when it says so itself, and gone when its
 * process is.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { greeted } from './nbdGreeting.js';

const program = (variable: string, name: string): string => process.env[variable] ?? name;

/** How an image is held: by which program, and with which rights. */
export type Holding = 'daemon rw' | 'daemon ro' | 'io rw' | 'io ro' | 'io shared' | 'nbd rw' | 'nbd ro';

export class ImageHolder {
  private constructor(
    /** Ends the program; its locks are gone afterwards. */
    readonly release: () => Promise<void>,
  ) {}

  static hold(path: string, holding: Holding): Promise<ImageHolder> {
    return holding.startsWith('nbd') ? ImageHolder.#fork(path, holding) : ImageHolder.#talk(path, holding);
  }

  /** A program that greets on its standard output and goes when told on its standard input. */
  static async #talk(path: string, holding: Holding): Promise<ImageHolder> {
    const { command, args, greeting, farewell } = commandFor(path, holding);
    const child = spawn(command, args);
    const gone = once(child, 'exit');
    let said = '';
    await new Promise<void>((resolve, reject) => {
      const hear = (chunk: Buffer): void => {
        said += chunk.toString();
        if (said.includes(greeting)) resolve();
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      child.on('error', reject);
      child.on('exit', () => reject(new Error(`${command} ended before it was ready: ${said}`)));
    });
    return new ImageHolder(async () => {
      child.stdin.end(farewell);
      await gone;
    });
  }

  /** qemu-nbd, which goes into the background when it is ready. A pipe that it inherits closes when it is gone. */
  static async #fork(path: string, holding: Holding): Promise<ImageHolder> {
    const pidFile = `${path}.pid`;
    const readOnly = holding.endsWith('ro') ? ['-r'] : [];
    const args = [
      '-t',
      '--fork',
      '--pid-file',
      pidFile,
      '-f',
      'qcow2',
      '--socket',
      `${path}.sock`,
      ...readOnly,
      path,
    ];
    const child = spawn(program('QEMU_NBD', 'qemu-nbd'), args, {
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    });
    const pipe = child.stdio[3] as Readable;
    const gone = once(pipe.resume(), 'end');
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`qemu-nbd ended with ${code}`);
    await greeted({ path: `${path}.sock` });
    const pid = Number(await readFile(pidFile, 'utf8'));
    return new ImageHolder(async () => {
      process.kill(pid, 'SIGTERM');
      await gone;
    });
  }
}

function commandFor(path: string, holding: Holding) {
  const readOnly = holding.endsWith('ro');
  if (holding.startsWith('daemon')) {
    const file = { driver: 'file', filename: path };
    const node = { driver: 'qcow2', 'node-name': 'n', 'read-only': readOnly, file };
    return {
      command: program('QEMU_STORAGE_DAEMON', 'qemu-storage-daemon'),
      args: ['--blockdev', JSON.stringify(node), '--chardev', 'stdio,id=m', '--monitor', 'chardev=m'],
      greeting: '"QMP"',
      farewell: '{"execute":"qmp_capabilities"}{"execute":"quit"}',
    };
  }
  const rights = holding === 'io shared' ? ['-r', '-U'] : readOnly ? ['-r'] : [];
  return {
    command: program('QEMU_IO', 'qemu-io'),
    args: ['-f', 'qcow2', ...rights, path],
    greeting: 'qemu-io> ',
    farewell: 'quit\n',
  };
}
