/**
 * A QMP server in this process that says exactly what a test tells it to, well-formed or not. It never answers by
 * itself, so every silence and every wrong answer is a test's own.
 */
import { rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { makeFolder } from './qemuProcess.js';

export const GREETING = {
  QMP: { version: { qemu: { micro: 22, minor: 2, major: 7 }, package: 'fake' }, capabilities: ['oob'] },
};

export interface FakeCommand {
  execute: string;
  arguments?: Record<string, unknown>;
  id?: unknown;
}

export class FakeQmpServer {
  private readonly sockets = new Set<net.Socket>();
  private readonly commands: { command: FakeCommand; socket: net.Socket }[] = [];
  private waiting: (() => void)[] = [];
  connections = 0;
  /** Commands that any client sent. */
  received = 0;

  private constructor(
    readonly path: string,
    private readonly folder: string,
    private readonly server: net.Server,
  ) {}

  /** Listens; every client is sent `hello` (bytes or an object) at once, or nothing when it is null. */
  static async start(hello: object | string | Buffer | null = GREETING): Promise<FakeQmpServer> {
    const folder = await makeFolder();
    const server = net.createServer();
    const fake = new FakeQmpServer(path.join(folder, 'q'), folder, server);
    server.on('connection', (socket) => fake.accept(socket, hello));
    await new Promise<void>((resolve) => server.listen(fake.path, resolve));
    return fake;
  }

  /** The next command any client sent, in order of arrival. */
  async receive(): Promise<{ command: FakeCommand; socket: net.Socket }> {
    for (;;) {
      const next = this.commands.shift();
      if (next !== undefined) return next;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** Takes the next command and answers it; a function gets the command and returns the whole reply. */
  async answer(reply: unknown | ((command: FakeCommand) => object) = {}): Promise<FakeCommand> {
    const { command, socket } = await this.receive();
    const whole = typeof reply === 'function' ? reply(command) : { return: reply, id: command.id };
    socket.write(`${JSON.stringify(whole)}\r\n`);
    return command;
  }

  /**
   * From now on answers by itself: `replies` has what each command returns, or a function of the command. A command that
   * is not in it is refused as QEMU refuses an unknown one.
   */
  serve(replies: Readonly<Record<string, unknown>>): void {
    void (async () => {
      for (;;) {
        const { command, socket } = await this.receive();
        const known = command.execute in replies || command.execute === 'qmp_capabilities';
        const reply = replies[command.execute] ?? {};
        const value = typeof reply === 'function' ? reply(command) : reply;
        const error = { class: 'CommandNotFound', desc: `The command ${command.execute} has not been found` };
        const whole = known ? { return: value, id: command.id } : { error, id: command.id };
        socket.write(`${JSON.stringify(whole)}\r\n`);
      }
    })();
  }

  /** Raw bytes or a message to every client. */
  send(data: object | string | Buffer): void {
    for (const socket of this.sockets) {
      socket.write(typeof data === 'string' || Buffer.isBuffer(data) ? data : `${JSON.stringify(data)}\r\n`);
    }
  }

  event(name: string, data: object = {}): void {
    this.send({ event: name, data, timestamp: { seconds: 1, microseconds: 2 } });
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    await rm(this.folder, { recursive: true, force: true });
  }

  private accept(socket: net.Socket, hello: object | string | Buffer | null): void {
    this.connections += 1;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket)).on('error', () => undefined);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      this.received += lines.length;
      for (const line of lines) this.commands.push({ command: JSON.parse(line) as FakeCommand, socket });
      for (const wake of this.waiting.splice(0)) wake();
    });
    if (hello === null) return;
    socket.write(
      typeof hello === 'string' || Buffer.isBuffer(hello) ? hello : `${JSON.stringify(hello)}\r\n`,
    );
  }
}
