/**
 * OpenTelemetry for whoever uses it: a span for each operation that the channels tell of, nested as the work is, and histograms of
 * durations and bytes. The caller's own copy of `@opentelemetry/api` is the argument, so this package depends on none.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { CbtError } from '../core/errors.js';
import { channels } from '../watch/channels.js';
import { CHANNELS, type WatchChannel, type WatchMessage, type WatchMessages } from '../watch/messages.js';

/** What is used of a span. */
export interface OtelSpan {
  /**
   * Sets one attribute.
   * @param name Its name.
   * @param value The value.
   * @returns As OpenTelemetry’s.
   */
  setAttribute(name: string, value: string | number): unknown;
  /**
   * Adds what went wrong.
   * @param error The error.
   * @returns As OpenTelemetry’s.
   */
  recordException(error: Error): unknown;
  /**
   * Says how it ended.
   * @param status As OpenTelemetry’s.
   * @returns As OpenTelemetry’s.
   */
  setStatus(status: { code: number; message?: string | undefined }): unknown;
  /**
   * Ends it.
   * @returns As OpenTelemetry’s.
   */
  end(): unknown;
}

/** What is used of a tracer. */
export interface OtelTracer<Context, Span> {
  /**
   * Begins a span, below the one of the context.
   * @param name Its name.
   * @param options As OpenTelemetry’s.
   * @param context As OpenTelemetry’s.
   * @returns As OpenTelemetry’s.
   */
  startSpan(name: string, options?: object, context?: Context): Span;
}

/** What is used of the API of spans. */
export interface OtelTrace<Context, Span> {
  /**
   * The tracer of a library.
   * @param name Its name.
   * @param version Of this package.
   * @returns As OpenTelemetry’s.
   */
  getTracer(name: string, version?: string): OtelTracer<Context, Span>;
  /**
   * The context with that span in it.
   * @param context As OpenTelemetry’s.
   * @param span The span.
   * @returns As OpenTelemetry’s.
   */
  setSpan(context: Context, span: Span): Context;
}

/** What is used of the API of contexts. */
export interface OtelContext<Context> {
  /**
   * What is going on around this call.
   * @returns As OpenTelemetry’s.
   */
  active(): Context;
}

/** What is used of a histogram. */
export interface OtelHistogram {
  /**
   * Adds one value.
   * @param value The value.
   * @param attributes As OpenTelemetry’s.
   * @returns As OpenTelemetry’s.
   */
  record(value: number, attributes?: Record<string, string>): void;
}

/** What is used of a meter. */
export interface OtelMeter {
  /**
   * A histogram by its name.
   * @param name Its name.
   * @param options As OpenTelemetry’s.
   * @returns As OpenTelemetry’s.
   */
  createHistogram(
    name: string,
    options?: { unit?: string | undefined; description?: string | undefined },
  ): OtelHistogram;
}

/** What is used of the API of metrics. */
export interface OtelMetrics {
  /**
   * The meter of a library.
   * @param name Its name.
   * @param version Of this package.
   * @returns As OpenTelemetry’s.
   */
  getMeter(name: string, version?: string): OtelMeter;
}

/** What is used of `@opentelemetry/api` (1.x): its module fits, as it is imported. */
export interface OtelApi<Context = unknown, Span extends OtelSpan = OtelSpan> {
  /** Spans. */
  readonly trace: OtelTrace<Context, Span>;
  /** Contexts. */
  readonly context: OtelContext<Context>;
  /** Histograms. */
  readonly metrics: OtelMetrics;
  /** Codes of a status. */
  readonly SpanStatusCode: { readonly ERROR: number };
}

/** Ends the watching; a span whose work is not over then is dropped. */
export interface OtelWatch {
  /**
   * No span begins, and nothing is measured, from here on.
   * @returns At once; nothing is told any more.
   */
  stop(): void;
}

const NAME = 'qemu-cbt';

/**
 * Begins to watch: spans `qemu-cbt.<channel> <operation>` with the message's names as attributes (`qemu_cbt.vm`, `.disk`, `.pit`,
 * `.session`), histograms `qemu_cbt.operation.duration` (seconds; by channel, operation and error code) and `qemu_cbt.stream.size` (bytes).
 * For a process once.
 * @param api The program’s own `@opentelemetry/api`.
 * @returns What ends it.
 * @example
 * ```ts
 * import * as api from '@opentelemetry/api';
 *
 * const watch = watchWithOpenTelemetry(api);
 * process.once('exit', () => watch.stop());
 * ```
 */
export function watchWithOpenTelemetry<Context, Span extends OtelSpan>(
  api: OtelApi<Context, Span>,
): OtelWatch {
  const tracer = api.trace.getTracer(NAME);
  const meter = api.metrics.getMeter(NAME);
  const durations = meter.createHistogram('qemu_cbt.operation.duration', {
    unit: 's',
    description: 'How long an operation took',
  });
  const sizes = meter.createHistogram('qemu_cbt.stream.size', {
    unit: 'By',
    description: 'Bytes that an NBD operation moved',
  });
  const around = new AsyncLocalStorage<Span>();
  const spans = new WeakMap<object, Span>();

  const begin = (name: WatchChannel, message: WatchMessage): Span => {
    const parent = around.getStore();
    const active = api.context.active();
    const span = tracer.startSpan(
      `${name.replace(':', '.')} ${message.operation}`,
      { attributes: namesOf(message) },
      parent === undefined ? active : api.trace.setSpan(active, parent),
    );
    spans.set(message, span);
    return span;
  };
  const end = (name: WatchChannel, message: WatchMessage): void => {
    const span = spans.get(message);
    if (span === undefined) return;
    spans.delete(message);
    // Some names are known at the end only.
    for (const [key, value] of Object.entries(namesOf(message))) span.setAttribute(key, value);
    const { error, operation, durationMs } = message;
    if (error !== null) {
      const thrown = error instanceof Error ? error : new Error(String(error));
      span.recordException(thrown);
      span.setStatus({ code: api.SpanStatusCode.ERROR, message: thrown.message });
    }
    span.end();
    const code = error === null ? 'none' : error instanceof CbtError ? error.code : 'other';
    const attributes = { channel: name, operation, 'error.type': code };
    durations.record((durationMs ?? 0) / 1000, attributes);
    if (name === 'qemu-cbt:stream')
      sizes.record((message as WatchMessages['qemu-cbt:stream']).bytes, { operation });
  };

  const undo = CHANNELS.map((name) => {
    const channel = channels[name];
    // What is done within finds its parent here.
    channel.start.bindStore(around, (message) => begin(name, message as WatchMessage));
    const listeners = {
      start: () => undefined,
      asyncEnd: (message: unknown) => end(name, message as WatchMessage),
      // Without a promise the end comes with no other word.
      end: (message: unknown) => {
        if ((message as WatchMessage).durationMs !== null) end(name, message as WatchMessage);
      },
    };
    channel.subscribe(listeners as never);
    return () => {
      channel.start.unbindStore(around);
      channel.unsubscribe(listeners as never);
    };
  });
  return {
    stop: () => {
      for (const one of undo) one();
    },
  };
}

function namesOf({ vm, disk, pit, session }: WatchMessage): Record<string, string> {
  const names = { vm, disk, pit, session };
  return Object.fromEntries(
    Object.entries(names).flatMap(([key, value]) => (value === null ? [] : [[`qemu_cbt.${key}`, value]])),
  );
}
