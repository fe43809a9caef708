/**
 * QMP through libvirt (`virDomainQemuMonitorCommand` and its events). Commands follow each other as on a socket, although libvirt would
 * take several at a time. It is one run of the domain: when that stops, or another begins, the port ends. A daemon that goes and comes
 * back meanwhile is connected to anew: libvirt's number of the run says that it is the same.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CbtError, throwIfAborted } from '../../core/errors.js';
import { checkTimeout, MAX_TIMEOUT_MS, type WaitOptions, waitFor } from '../../linux/waiting.js';
import { PlainHost } from '../qemu/plainHost.js';
import type { QemuHost } from '../qemu/qemuHost.js';
import { qmp } from '../qemu/qmp/commands.js';
import { EventHub, EventStream, firstEvent } from '../qemu/qmp/eventHub.js';
import { parseJson } from '../qemu/qmp/json.js';
import { encodeMessage, type Message, parseMessage } from '../qemu/qmp/lineCodec.js';
import { onEnded } from '../qemu/qmp/onEnded.js';
import { QmpCommandError } from '../qemu/qmp/qmpError.js';
import { EVENTS_LOST, type QmpPort } from '../qemu/qmp/qmpPort.js';
import {
  describeIssues,
  errorReply,
  type QemuVersion,
  type QmpEvent,
  qmpEvent,
} from '../qemu/qmp/schemas.js';
import { type FoundDomain, findDomain } from './findDomain.js';
import type { Libvirt, MonitorEvent } from './libvirt.js';
import { LibvirtError, VIR_ERR } from './rpc/libvirtError.js';
import { breach } from './rpc/xdr.js';

const DEFAULT_COMMAND_MS = 60_000;
const MAX_BUFFERED_EVENTS = 1024;

/** How long a daemon may be away. */
const AWAY_MS = 30_000;
const PAUSE_MS = 100;

/** How long libvirt may take to tell that a QEMU ended whose monitor it lost. */
const TOLD_MS = 10_000;

/** What can be asked a second time. */
const ONLY_ASKS = /^(query-|qom-get$|qom-list$|x-debug-)/;

export interface MonitorOptions {
  /** Its connection becomes the monitor's, which closes it; where that is another one, it is put here. */
  found: FoundDomain;
  /** The other end, in messages. */
  name: string;
  /** For each command that names none of its own; 60 000 by default. */
  commandTimeoutMs?: number | undefined;
}

export class DomainMonitor implements QmpPort {
  readonly name: string;
  host: QemuHost;
  version: QemuVersion | undefined;
  readonly reconnects = true;

  readonly #found: FoundDomain;
  /** The connection, or that it is being made anew; what ended the port where it cannot be. */
  #connected: Promise<void> = Promise.resolve();
  readonly #commandTimeoutMs: number;
  readonly #hub = new EventHub();
  /** Ends with the command before. */
  #turn: Promise<unknown> = Promise.resolve();
  #failure: CbtError | undefined;
  readonly #failed: Promise<CbtError>;
  #fail: (error: CbtError) => void = () => undefined;

  private constructor({ found, name, commandTimeoutMs = DEFAULT_COMMAND_MS }: MonitorOptions) {
    this.#found = found;
    this.name = name;
    this.host = new PlainHost(name);
    this.#commandTimeoutMs = checkTimeout('commandTimeoutMs', commandTimeoutMs);
    this.#failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  /** Hears QEMU's events and the end of this run before anything is asked. */
  static async open(
    options: MonitorOptions,
    hostOf: (port: QmpPort) => Promise<QemuHost>,
    waiting: WaitOptions,
  ): Promise<DomainMonitor> {
    const monitor = new DomainMonitor(options);
    if (!(await monitor.#listen(options.found.libvirt, waiting))) throw domainIsOff(monitor.name);
    monitor.#watch(options.found.libvirt);
    monitor.version = await qmp(monitor, 'query-version', undefined, waiting);
    monitor.host = await hostOf(monitor);
    return monitor;
  }

  get open(): boolean {
    return this.#failure === undefined;
  }

  get ended(): Promise<CbtError> {
    return this.#failed;
  }

  /** Its time begins with the call, and is spent in its turn, in libvirt and while a daemon is away alike. */
  async execute(command: string, args?: object, options: WaitOptions = {}): Promise<unknown> {
    const timeoutMs = checkTimeout('timeoutMs', options.timeoutMs ?? this.#commandTimeoutMs);
    throwIfAborted(options.signal);
    if (this.#failure !== undefined) throw this.#failure;
    const json = encodeMessage({ execute: command, ...(args !== undefined && { arguments: args }) })
      .toString('utf8')
      .trimEnd();
    const onTimeout = (): CbtError =>
      new CbtError('ERR_CBT_TIMEOUT', `${this.name} did not answer ${command} in ${timeoutMs} ms`, {
        details: { command, domain: this.name, timeoutMs },
      });
    return waitFor<unknown>(
      (resolve, reject) => {
        const givenUp = new AbortController();
        const answer = this.#turn.then(() => this.#run(command, json, givenUp.signal));
        this.#turn = answer.catch(() => undefined);
        answer.then(resolve, reject);
        const callOff = onEnded(this, () => reject(this.#failure));
        return () => {
          callOff();
          givenUp.abort();
        };
      },
      { timeoutMs, signal: options.signal, onTimeout },
    );
  }

  events(): EventStream {
    const stream = new EventStream(this.#hub, MAX_BUFFERED_EVENTS);
    if (this.#failure !== undefined) void stream.return();
    return stream;
  }

  waitEvent(fits: (event: QmpEvent) => boolean, options: WaitOptions = {}): Promise<QmpEvent> {
    return firstEvent(this.#hub, fits, {
      name: this.name,
      timeoutMs: options.timeoutMs ?? this.#commandTimeoutMs,
      signal: options.signal,
      failure: () => this.#failure,
    });
  }

  async close(): Promise<void> {
    this.#end(new CbtError('ERR_CBT_CLOSED', `the connection to ${this.name} was closed by us`));
    await this.#found.libvirt.close();
  }

  /** Nothing is sent for whoever has given up. */
  async #run(command: string, json: string, signal: AbortSignal): Promise<unknown> {
    for (;;) {
      await this.#connected;
      throwIfAborted(signal);
      if (this.#failure !== undefined) throw this.#failure;
      const { libvirt, domain } = this.#found;
      if (!libvirt.open) {
        await libvirt.ended;
        continue;
      }
      try {
        const text = await libvirt.monitorCommand(domain, json, { timeoutMs: MAX_TIMEOUT_MS, signal });
        return this.#read(command, parseMessage(Buffer.from(text, 'utf8')));
      } catch (error) {
        if (error instanceof LibvirtError) await this.#mayHaveEnded(error, signal);
        if (this.#failure !== undefined) throw this.#failure;
        // Whether it happened is not known; of a question it does not matter.
        if (!CbtError.is(error, 'ERR_CBT_CONNECTION_LOST') || !ONLY_ASKS.test(command)) throw error;
        await libvirt.ended;
      }
    }
  }

  /** Where libvirt lost the monitor in the middle of a command it tells that QEMU is gone a while later only. */
  async #mayHaveEnded({ virErr, description }: LibvirtError, givenUp: AbortSignal): Promise<void> {
    if (virErr === VIR_ERR.OPERATION_INVALID) this.#end(ended(this.name, description));
    if (virErr !== VIR_ERR.INTERNAL_ERROR && virErr !== VIR_ERR.SYSTEM_ERROR) return;
    const told = new AbortController();
    const callOff = onEnded(this, () => told.abort());
    const signal = AbortSignal.any([told.signal, givenUp]);
    await delay(TOLD_MS, undefined, { signal }).catch(() => undefined);
    callOff();
  }

  /** Hears what happens from now on; false where it is not the run that it was: it may have stopped before we listened. */
  async #listen(libvirt: Libvirt, waiting: WaitOptions): Promise<boolean> {
    const { domain } = this.#found;
    await libvirt.onStop(domain, (why) => this.#end(ended(this.name, why)), waiting);
    await libvirt.onMonitorEvents(domain, (event) => this.#publish(event), waiting);
    return (await libvirt.domain(domain.uuid, waiting)).id === domain.id;
  }

  #watch(libvirt: Libvirt): void {
    void libvirt.ended.then((error) => {
      if (this.#failure !== undefined) return;
      if (error.code === 'ERR_CBT_CONNECTION_LOST') this.#connected = this.#reconnect(error);
      else this.#end(error);
    });
  }

  /** Ends the port where the daemon stays away, or the run is another one. Never rejects. */
  async #reconnect(lost: CbtError): Promise<void> {
    const until = Date.now() + AWAY_MS;
    while (this.#failure === undefined) {
      const waiting = { timeoutMs: Math.max(1, until - Date.now()) };
      const again = await findDomain(this.#found.address, waiting).catch(() => null);
      try {
        if (again !== null && this.#failure === undefined) {
          if (again.domain.id !== this.#found.domain.id || !(await this.#listen(again.libvirt, waiting)))
            return this.#end(ended(this.name, 'it stopped, or was started anew, while its libvirt was away'));
          this.#found.libvirt = again.libvirt;
          this.#watch(again.libvirt);
          const now = Date.now();
          const timestamp = { seconds: Math.floor(now / 1000), microseconds: (now % 1000) * 1000 };
          this.#hub.publish({ event: EVENTS_LOST, timestamp });
          return;
        }
      } catch {
        // It went again.
      } finally {
        if (again !== null && this.#found.libvirt !== again.libvirt) await again.libvirt.close();
      }
      if (Date.now() >= until) return this.#end(lost);
      await delay(PAUSE_MS);
    }
  }

  /** libvirt passes on what QEMU answered, with an id of its own. */
  #read(command: string, message: Message): unknown {
    if ('return' in message) return message['return'];
    const failed = errorReply.safeParse(message);
    if (!failed.success) throw breach(`the answer to ${command} is none: ${describeIssues(failed.error)}`);
    throw new QmpCommandError(command, failed.data.error.class, failed.data.error.desc);
  }

  /** What is no event of QEMU's own is a doubt about all that follow. */
  #publish({ event, seconds, microseconds, data }: MonitorEvent): void {
    const told = {
      event,
      timestamp: { seconds: Number(seconds), microseconds },
      ...(data !== null && { data: parseJson(data) }),
    };
    const checked = qmpEvent.safeParse(told);
    if (!checked.success) throw breach(`an event breaks its form: ${describeIssues(checked.error)}`);
    this.#hub.publish(checked.data);
  }

  #end(error: CbtError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#fail(error);
    this.#hub.end(error.code === 'ERR_CBT_CLOSED' ? undefined : error);
  }
}

/** The domain is not running: its images are asked, not its QEMU. */
export function domainIsOff(name: string): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${name} is off`, {
    details: { domain: name, power: 'off' },
  });
}

function ended(name: string, why: string): CbtError {
  return new CbtError('ERR_CBT_CONNECTION_LOST', `the QEMU of ${name} is gone: ${why}`, {
    details: { domain: name, power: 'off' },
  });
}
