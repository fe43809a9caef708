/**
 * A guest agent in this process: one frozen flag, commands taken one after the other in order of arrival, also those of
 * clients that are gone, as the virtio channel of a real guest does. `on` replaces what it does for a command.
 */
import { rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { makeFolder } from './qemuProcess.js';

interface AgentCommand {
  execute: string;
  arguments?: Record<string, unknown>;
}

/** What to do with a command: answer it, say nothing, or answer raw bytes. A promise delays all later commands. */
export type Behaviour = (command: AgentCommand) => unknown | Promise<unknown>;

/** No answer at all. */
export const SILENT = Symbol('silent');

const COMMANDS = [
  'guest-sync-delimited',
  'guest-info',
  'guest-fsfreeze-status',
  'guest-fsfreeze-freeze',
  'guest-fsfreeze-thaw',
];

/** What qemu-ga still does while it is frozen. */
const WHILE_FROZEN = ['guest-sync-delimited', 'guest-info', 'guest-fsfreeze-status', 'guest-fsfreeze-thaw'];

export class FakeGuestAgent {
  frozen = false;
  fileSystems = 2;
  commands = new Set(COMMANDS);
  /** Names of the commands taken, in order; syncs left out. */
  readonly log: string[] = [];
  connections = 0;
  private readonly behaviours = new Map<string, Behaviour>();
  private socket: net.Socket | undefined;
  private work: Promise<void> = Promise.resolve();
  private closed = false;

  private constructor(
    readonly path: string,
    private readonly folder: string,
    private server: net.Server,
  ) {}

  static async start(): Promise<FakeGuestAgent> {
    const folder = await makeFolder();
    const agent = new FakeGuestAgent(path.join(folder, 'a'), folder, net.createServer());
    await agent.listen();
    return agent;
  }

  on(command: string, behaviour: Behaviour): void {
    this.behaviours.set(command, behaviour);
  }

  /** Back to what a sound agent does. */
  off(command: string): void {
    this.behaviours.delete(command);
  }

  /** Raw bytes to the client of the moment. */
  send(bytes: Buffer | string): void {
    this.socket?.write(bytes);
  }

  cut(): void {
    this.socket?.destroy();
  }

  /** Nobody can connect any more; commands already sent are still taken. */
  async stopListening(): Promise<void> {
    const closing = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.cut();
    await closing;
  }

  async listenAgain(): Promise<void> {
    await this.listen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    if (this.server.listening) await this.stopListening();
    await rm(this.folder, { recursive: true, force: true });
  }

  private listen(): Promise<void> {
    this.server = net.createServer((socket) => {
      this.connections += 1;
      this.socket = socket;
      socket.on('error', () => undefined);
      let bytes = Buffer.alloc(0);
      socket.on('data', (chunk) => {
        bytes = Buffer.concat([bytes, chunk]);
        for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10)) {
          const line = bytes.subarray(0, at);
          bytes = bytes.subarray(at + 1);
          // 0xFF makes the agent forget what came before it on the line, with an error as qemu-ga sends it.
          const flush = line.lastIndexOf(0xff);
          const command = JSON.parse(line.subarray(flush + 1).toString()) as AgentCommand;
          this.work = this.work.then(() => this.take(command, flush >= 0));
        }
      });
    });
    return new Promise((resolve) => this.server.listen(this.path, resolve));
  }

  private async take(command: AgentCommand, flushed: boolean): Promise<void> {
    if (this.closed) return;
    if (command.execute !== 'guest-sync-delimited') this.log.push(command.execute);
    if (flushed)
      this.send('{"error": {"class": "GenericError", "desc": "JSON parse error, stray \\u00ff"}}\n');
    const behaviour = this.behaviours.get(command.execute);
    const reply = behaviour === undefined ? this.answer(command) : await behaviour(command);
    if (reply === SILENT) return;
    if (Buffer.isBuffer(reply) || typeof reply === 'string') this.send(reply);
    else this.send(`${JSON.stringify(reply)}\n`);
  }

  /** What a sound agent answers. */
  answer(command: AgentCommand): unknown {
    const { execute } = command;
    if (!this.commands.has(execute) || (this.frozen && !WHILE_FROZEN.includes(execute))) {
      const why = this.commands.has(execute) ? 'disabled: the agent is in frozen state' : 'not been found';
      return { error: { class: 'CommandNotFound', desc: `Command ${execute} has ${why}` } };
    }
    switch (command.execute) {
      case 'guest-sync-delimited':
        return Buffer.concat([
          Buffer.from([0xff]),
          Buffer.from(`${JSON.stringify({ return: command.arguments?.['id'] })}\n`),
        ]);
      case 'guest-info':
        return {
          return: {
            version: '7.2.22',
            supported_commands: [...this.commands].map((name) => ({
              name,
              enabled: !this.frozen || WHILE_FROZEN.includes(name),
              'success-response': true,
            })),
          },
        };
      case 'guest-fsfreeze-status':
        return { return: this.frozen ? 'frozen' : 'thawed' };
      case 'guest-fsfreeze-freeze':
        this.frozen = true;
        return { return: this.fileSystems };
      case 'guest-fsfreeze-thaw': {
        const thawed = this.frozen ? this.fileSystems : 0;
        this.frozen = false;
        return { return: thawed };
      }
      default:
        return { return: {} };
    }
  }
}
