/**
 * A real headless Chromium, driven over the DevTools protocol on a pipe (JSON messages, each ended by a zero byte). `CHROMIUM`
 * names another program; without any that is found the test fails.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

interface Message {
  id?: number;
  sessionId?: string;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

const CANDIDATES = ['chromium-headless-shell', 'chromium', 'google-chrome'];

function findProgram(): string {
  const named = process.env['CHROMIUM'];
  if (named !== undefined) return named;
  const found = CANDIDATES.find((name) => spawnSync('which', [name]).status === 0);
  if (found === undefined)
    throw new Error(`none of ${CANDIDATES.join(', ')} is installed; see scripts/setup.sh`);
  return found;
}

export class Chromium {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #waiting = new Map<
    number,
    { resolve(result: Record<string, unknown>): void; reject(e: Error): void }
  >();
  readonly #listeners = new Set<(message: Message) => void>();
  #nextId = 1;
  #rest = '';

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    const output = child.stdio[4] as Readable;
    // A write to one that died fails beside the message that says so.
    child.stdio[3]?.on('error', () => undefined);
    output.setEncoding('utf8');
    output.on('data', (chunk: string) => this.#take(chunk));
    child.once('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Chromium has ended'));
    });
  }

  static async start(): Promise<Chromium> {
    const folder = await mkdtemp(join(tmpdir(), 'cbt-chromium-'));
    const args = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--disable-background-networking',
      '--hide-scrollbars',
      '--force-color-profile=srgb',
      '--remote-debugging-pipe',
      `--user-data-dir=${folder}`,
      'about:blank',
    ];
    const child = spawn(findProgram(), args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    await once(child, 'spawn');
    return new Chromium(child, folder);
  }

  async send(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null)
      throw new Error(`Chromium has ended with ${this.#child.exitCode ?? this.#child.signalCode}`);
    const id = this.#nextId++;
    const answer = new Promise<Record<string, unknown>>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    const pipe = this.#child.stdio[3] as Writable;
    pipe.write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`);
    return answer;
  }

  listen(listener: (message: Message) => void): void {
    this.#listeners.add(listener);
  }

  /** Opens a file in a page of its own; done when it has loaded and drawn once. */
  async open(file: string, view: PageView = {}): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, String(sessionId));
    await page.load(file, view);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      const ended = once(this.#child, 'close');
      await this.send('Browser.close');
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  #take(chunk: string): void {
    const messages = (this.#rest + chunk).split('\0');
    this.#rest = messages.pop() ?? '';
    for (const text of messages) {
      const message = JSON.parse(text) as Message;
      for (const listener of this.#listeners) listener(message);
      if (message.id === undefined) continue;
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error !== undefined) waiting?.reject(new Error(message.error.message));
      else waiting?.resolve(message.result ?? {});
    }
  }
}

export interface PageView {
  width?: number;
  height?: number;
  dark?: boolean;
  script?: boolean;
}

export class Page {
  /** What the console was told, exceptions and broken policies among it. */
  readonly complaints: string[] = [];
  /** Addresses of everything that was asked for, the page itself included. */
  readonly requests: string[] = [];
  readonly #browser: Chromium;
  readonly #session: string;

  constructor(browser: Chromium, session: string) {
    this.#browser = browser;
    this.#session = session;
    browser.listen(({ sessionId, method, params = {} }) => {
      if (sessionId !== session) return;
      if (method === 'Network.requestWillBeSent')
        this.requests.push((params['request'] as { url: string }).url);
      if (['Runtime.consoleAPICalled', 'Runtime.exceptionThrown', 'Log.entryAdded'].includes(method ?? ''))
        this.complaints.push(JSON.stringify(params));
    });
  }

  send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    return this.#browser.send(method, params, this.#session);
  }

  async load(
    file: string,
    { width = 1280, height = 800, dark = false, script = true }: PageView,
  ): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await this.send(`${domain}.enable`);
    await this.send('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: false,
    });
    const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
    await this.send('Emulation.setEmulatedMedia', { features });
    await this.send('Emulation.setScriptExecutionDisabled', { value: !script });
    const loaded = new Promise<void>((resolve) => {
      this.#browser.listen(({ sessionId, method }) => {
        if (sessionId === this.#session && method === 'Page.loadEventFired') resolve();
      });
    });
    await this.send('Page.navigate', { url: pathToFileURL(file).href });
    await loaded;
    if (script) await this.drawn();
  }

  /** The value of an expression in the page, awaited there. */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    const { exceptionDetails, result } = answer as {
      exceptionDetails?: unknown;
      result: { value: T };
    };
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  }

  /** What was asked to be drawn is drawn: a few frames, since observers tell theirs after a frame. */
  async drawn(): Promise<void> {
    const frame =
      'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))';
    await this.evaluate(`${frame}.then(() => ${frame})`);
  }

  async mouse(type: string, x: number, y: number, more: object = {}): Promise<void> {
    await this.send('Input.dispatchMouseEvent', { type, x, y, ...more });
    await this.drawn();
  }

  async key(key: string): Promise<void> {
    const text = key.length === 1 ? { text: key } : {};
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', key, ...text });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', key });
    await this.drawn();
  }

  async screenshot(file: string): Promise<void> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
    await writeFile(file, Buffer.from(String(data), 'base64'));
  }
}
