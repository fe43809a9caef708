/** Spans and histograms, made by the real API and SDK of OpenTelemetry from what the channels tell. */
import * as api from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CbtError } from '../../../lib/core/errors.js';
import { type OtelWatch, watchWithOpenTelemetry } from '../../../lib/otel/index.js';
import { tellBroken, traced, tracedPieces } from '../../../lib/watch/tracing.js';

const spans = new InMemorySpanExporter();
let metrics: InMemoryMetricExporter;
let meters: MeterProvider;
let watch: OtelWatch;

beforeEach(() => {
  spans.reset();
  metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  api.trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }),
  );
  const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 2 ** 30 });
  meters = new MeterProvider({ readers: [reader] });
  api.metrics.setGlobalMeterProvider(meters);
  watch = watchWithOpenTelemetry(api);
});
afterEach(async () => {
  watch.stop();
  await meters.shutdown();
  api.trace.disable();
  api.metrics.disable();
  api.context.disable();
});

const named = (name: string): ReadableSpan => {
  const found = spans.getFinishedSpans().filter((span) => span.name === name);
  expect(found, name).toHaveLength(1);
  return found[0] as ReadableSpan;
};

const commit = { operation: 'commit', vm: 'web', pit: 'p', session: 'p', disks: null };
const ask = (operation: string) =>
  traced(
    'qemu-cbt:qmp',
    () => ({ operation, vm: 'web', arguments: null }),
    async () => undefined,
  );

/** Each point of the histogram: its attributes, how many values, and their sum. */
async function points(name: string): Promise<[object, number, number | undefined][]> {
  await meters.forceFlush();
  const all =
    metrics
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
  const [metric] = all.filter(({ descriptor }) => descriptor.name === name);
  return (metric?.dataPoints ?? []).map(({ attributes, value }) => {
    const { count, sum } = value as Histogram;
    return [attributes, count, sum];
  });
}

test('a span lies in the one whose work it is part of, and in the caller’s own', async () => {
  const tracer = api.trace.getTracer('program');
  await tracer.startActiveSpan('nightly', async (span) => {
    await traced(
      'qemu-cbt:session',
      () => commit,
      async () => {
        await Promise.all([ask('query-jobs'), ask('transaction')]);
      },
    );
    span.end();
  });
  await ask('query-version');
  const [nightly, session] = [named('nightly'), named('qemu-cbt.session commit')];
  expect(session.parentSpanContext?.spanId).toBe(nightly.spanContext().spanId);
  for (const inner of ['qemu-cbt.qmp query-jobs', 'qemu-cbt.qmp transaction'])
    expect(named(inner).parentSpanContext?.spanId).toBe(session.spanContext().spanId);
  expect(named('qemu-cbt.qmp query-version').parentSpanContext).toBeUndefined();
  expect(session.attributes).toEqual({
    'qemu_cbt.vm': 'web',
    'qemu_cbt.pit': 'p',
    'qemu_cbt.session': 'p',
  });
});

test('names that are known at the end only are the span’s too', async () => {
  const begun = () => ({ operation: 'begin', vm: 'web', disks: null });
  await traced(
    'qemu-cbt:session',
    begun,
    async () => 'p',
    (message, pit) => Object.assign(message, { pit }),
  );
  expect(named('qemu-cbt.session begin').attributes).toEqual({ 'qemu_cbt.vm': 'web', 'qemu_cbt.pit': 'p' });
});

test('what failed is told with its error, in the span and by its code in the histogram', async () => {
  const fail = (error: unknown) =>
    traced(
      'qemu-cbt:session',
      () => commit,
      () => Promise.reject(error),
    ).catch(() => undefined);
  await fail(new CbtError('ERR_CBT_TIMEOUT', 'slow'));
  const span = named('qemu-cbt.session commit');
  expect(span.status).toEqual({ code: api.SpanStatusCode.ERROR, message: 'slow' });
  expect(span.events.map(({ name, attributes }) => [name, attributes?.['exception.message']])).toEqual([
    ['exception', 'slow'],
  ]);
  await fail('a text');
  await traced(
    'qemu-cbt:session',
    () => commit,
    async () => undefined,
  );
  const of = { channel: 'qemu-cbt:session', operation: 'commit' };
  expect(await points('qemu_cbt.operation.duration')).toEqual([
    [{ ...of, 'error.type': 'ERR_CBT_TIMEOUT' }, 1, expect.any(Number)],
    [{ ...of, 'error.type': 'other' }, 1, expect.any(Number)],
    [{ ...of, 'error.type': 'none' }, 1, expect.any(Number)],
  ]);
});

test('a session that breaks while nobody asks is a span that is an error', () => {
  tellBroken(() => ({ ...commit, operation: 'broken' }), new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'gone'));
  expect(named('qemu-cbt.session broken').status.message).toBe('gone');
});

test('bytes of a stream are counted when it ends', async () => {
  const pieces = (async function* () {
    for (const length of [1, 2, 3]) yield Buffer.alloc(length);
  })();
  const begun = () => ({ operation: 'stream', bytes: 0 });
  for await (const _ of tracedPieces(begun, pieces, ({ length }) => length)) await ask('query-jobs');
  expect(await points('qemu_cbt.stream.size')).toEqual([[{ operation: 'stream' }, 1, 6]]);
  named('qemu-cbt.stream stream');
});

test('stopped, no span begins, and none ends', async () => {
  let end: () => void = () => undefined;
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  const open = traced(
    'qemu-cbt:session',
    () => commit,
    () => over,
  );
  watch.stop();
  await ask('query-jobs');
  end();
  await open;
  expect(spans.getFinishedSpans()).toEqual([]);
  expect(await points('qemu_cbt.operation.duration')).toEqual([]);
});
