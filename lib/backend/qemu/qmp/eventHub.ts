/**
 * Hands QMP events to whoever listens at that moment. Nothing is kept for later listeners, and what is kept for a slow
 * one is bounded: losing an event silently could mean trusting a fleecing job that is gone.
 */
import { CbtError } from '../../../core/errors.js';
import { checkTimeout, waitFor } from '../../../linux/waiting.js';
import type { QmpEvent } from './schemas.js';

/** Gets events until `end`; `error` is undefined when we closed the connection ourselves. */
export interface EventListener {
  event(event: QmpEvent): void;
  end(error: CbtError | undefined): void;
}

export class EventHub {
  private readonly listeners = new Set<EventListener>();

  /** Listens from now on; the result stops it. */
  listen(listener: EventListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  publish(event: QmpEvent): void {
    for (const listener of [...this.listeners]) listener.event(event);
  }

  end(error: CbtError | undefined): void {
    for (const listener of [...this.listeners]) listener.end(error);
    this.listeners.clear();
  }
}

/** Where events are waited for: by whom, for how long, and what ended the connection where something did. */
export interface EventWait {
  /** The other end, in messages. */
  name: string;
  timeoutMs: number;
  signal: AbortSignal | undefined;
  failure(): CbtError | undefined;
}

/**
 * The first event from this call on that fits. The promise may be dropped; it never ends as an unhandled rejection. A `fits` that throws
 * ends it with that.
 */
export function firstEvent(
  hub: EventHub,
  fits: (event: QmpEvent) => boolean,
  { name, timeoutMs, signal, failure }: EventWait,
): Promise<QmpEvent> {
  const waiting = (async () => {
    const ended = failure();
    if (ended !== undefined) throw ended;
    return waitFor<QmpEvent>(
      (resolve, reject) =>
        hub.listen({
          event: (event) => {
            try {
              if (fits(event)) resolve(event);
            } catch (error) {
              reject(error);
            }
          },
          end: () => reject(failure()),
        }),
      {
        timeoutMs: checkTimeout('timeoutMs', timeoutMs),
        signal,
        onTimeout: () =>
          new CbtError('ERR_CBT_TIMEOUT', `the awaited QMP event of ${name} did not come in ${timeoutMs} ms`),
      },
    );
  })();
  waiting.catch(() => undefined);
  return waiting;
}

/**
 * Events as an async iterator. Events that came before the connection broke are still told; then `next` throws, or is
 * done when we closed it. More than `maxBuffered` unread events throw as well: they are lost, and that is said.
 */
export class EventStream implements AsyncIterableIterator<QmpEvent> {
  private buffer: QmpEvent[] = [];
  private ended: { error: CbtError | undefined } | undefined;
  private readers: { resolve: (r: IteratorResult<QmpEvent>) => void; reject: (e: CbtError) => void }[] = [];
  private readonly stop: () => void;

  constructor(
    hub: EventHub,
    private readonly maxBuffered: number,
  ) {
    this.stop = hub.listen({
      event: (event) => this.take(event),
      end: (error) => this.finish(error),
    });
  }

  next(): Promise<IteratorResult<QmpEvent>> {
    const event = this.buffer.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.ended !== undefined) {
      const { error } = this.ended;
      return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.readers.push({ resolve, reject }));
  }

  /** Stops listening; readers that wait are done. */
  return(): Promise<IteratorResult<QmpEvent>> {
    this.buffer = [];
    this.finish(undefined);
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  private take(event: QmpEvent): void {
    const reader = this.readers.shift();
    if (reader !== undefined) {
      reader.resolve({ done: false, value: event });
    } else if (this.buffer.length < this.maxBuffered) {
      this.buffer.push(event);
    } else {
      this.buffer = [];
      const message = `more than ${this.maxBuffered} QMP events were left unread, and are lost`;
      this.finish(new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message));
    }
  }

  private finish(error: CbtError | undefined): void {
    if (this.ended !== undefined) return;
    this.ended = { error };
    this.stop();
    for (const { resolve, reject } of this.readers.splice(0)) {
      if (error === undefined) resolve({ done: true, value: undefined });
      else reject(error);
    }
  }
}
