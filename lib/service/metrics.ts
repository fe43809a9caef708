/** Figures of the service in Prometheus' text format, and whether it is well: a server of its own, without TLS, for this machine. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Address } from './address.js';

/** A figure that is read when somebody asks. */
export interface Gauge {
  name: string;
  help: string;
  read(): number;
}

/** Counters and gauges. */
export class Metrics {
  readonly #calls = new Map<string, number>();
  #seconds = 0;

  constructor(readonly gauges: readonly Gauge[]) {}

  /** Counts a call; names that are not the API's are one. */
  count(method: string, fault: string | null, ms: number): void {
    const key = `method="${method}",fault="${fault ?? ''}"`;
    this.#calls.set(key, (this.#calls.get(key) ?? 0) + 1);
    this.#seconds += ms / 1000;
  }

  /** All of them as text. */
  text(): string {
    const { rss } = process.memoryUsage();
    const cpu = process.cpuUsage();
    const calls = [...this.#calls].map(([labels, count]) => `qemu_cbt_calls_total{${labels}} ${count}`);
    return [
      ...family(
        'qemu_cbt_calls_total',
        'counter',
        'Calls by method and by the fault that they ended with.',
        calls,
      ),
      ...single(
        'qemu_cbt_calls_seconds_total',
        'counter',
        'Time from the request to the answer.',
        this.#seconds,
      ),
      ...this.gauges.flatMap(({ name, help, read }) => single(`qemu_cbt_${name}`, 'gauge', help, read())),
      ...single('process_resident_memory_bytes', 'gauge', 'Memory of the service.', rss),
      ...single(
        'process_cpu_seconds_total',
        'counter',
        'Time that it computed.',
        (cpu.user + cpu.system) / 1e6,
      ),
      '',
    ].join('\n');
  }
}

const family = (name: string, type: string, help: string, lines: readonly string[]): string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
  ...lines,
];
const single = (name: string, type: string, help: string, value: number): string[] =>
  family(name, type, help, [`${name} ${value}`]);

/** `/metrics` and `/healthz`. */
export class MetricsServer {
  private constructor(readonly server: Server) {}

  static async listen(metrics: Metrics, { host, port }: Address): Promise<MetricsServer> {
    const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, (request, response) => {
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      const text = !isRead
        ? null
        : request.url === '/metrics'
          ? metrics.text()
          : request.url === '/healthz'
            ? 'ok\n'
            : null;
      response.writeHead(text === null ? 404 : 200, {
        'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
      });
      response.end(text ?? '');
    });
    server.maxConnections = 32;
    server.listen(port, host);
    await once(server, 'listening');
    return new MetricsServer(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
