/**
 * The port over which a test tells the guest what to do: one line to it for each command, one line back (root/serve has the
 * other end). QEMU connects to us, so the port is connected before the guest looks at it.
 */
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';

interface Reply {
  resolve: (output: string) => void;
  reject: (error: Error) => void;
}

const COMMAND_TIMEOUT_MS = 60_000;

export class ControlPort {
  private socket: net.Socket | undefined;
  private readonly replies = new Map<number, Reply>();
  private lastId = 0;
  private failure: Error | undefined;

  private constructor(private readonly server: net.Server) {
    // Answer 0 is the guest's word that it is up.
    server.once('connection', (socket) => {
      this.socket = socket;
      socket.on('error', () => undefined);
      createInterface({ input: socket }).on('line', (line) => this.take(line));
    });
  }

  static async listen(path: string): Promise<ControlPort> {
    const server = net.createServer().listen(path);
    await once(server, 'listening');
    return new ControlPort(server);
  }

  /** Resolves when the guest is up. */
  async ready(timeoutMs: number): Promise<void> {
    await this.reply(0, 'booting', timeoutMs);
  }

  async run(commands: string, timeoutMs: number = COMMAND_TIMEOUT_MS): Promise<string> {
    return this.reply(this.post(commands), commands, timeoutMs);
  }

  /** Sends commands without waiting; their number. */
  post(commands: string): number {
    if (commands.includes('\n')) throw new Error(`more than one line: ${commands}`);
    this.lastId += 1;
    this.socket?.write(`${this.lastId} ${commands}\n`);
    return this.lastId;
  }

  /** The guest is gone: nothing will be answered any more. */
  fail(why: string): void {
    this.failure ??= new Error(why);
    for (const { reject } of this.replies.values()) reject(this.failure);
    this.replies.clear();
  }

  async close(): Promise<void> {
    this.fail('the port was closed');
    this.socket?.destroy();
    if (this.server.listening) {
      this.server.close();
      await once(this.server, 'close');
    }
  }

  private reply(id: number, commands: string, timeoutMs: number): Promise<string> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Error(`the guest did not answer in ${timeoutMs} ms: ${commands}`));
      const timer = setTimeout(late, timeoutMs);
      const settle = (work: () => void): void => {
        clearTimeout(timer);
        work();
      };
      this.replies.set(id, {
        resolve: (output) => settle(() => resolve(output)),
        reject: (error) => settle(() => reject(new Error(`${error.message}\n${commands}`))),
      });
    });
  }

  private take(line: string): void {
    const [id, status, text = ''] = line === 'ready' ? ['0', '0'] : line.split(' ');
    const reply = this.replies.get(Number(id));
    this.replies.delete(Number(id));
    const output = Buffer.from(text, 'base64').toString();
    if (status === '0') reply?.resolve(output);
    else reply?.reject(new Error(`the guest says (${status}): ${output}`));
  }
}
