/**
 * What targets over HTTP share. The caller's own `fetch` does the asking: it signs, retries, and goes through proxies as it likes. What a message says of an
 * address is without its query and its user, where keys and passwords are.
 */
import { CbtError, invalidArgument, throwIfAborted } from '../../core/errors.js';
import type { TargetRead } from '../target.js';

/** As Node's `fetch`, or one that signs before it asks. */
export type FetchLike = (url: string, init: RequestInit) => Promise<Response>;

const MAX_TEXT_BYTES = 64 << 20;

export class HttpCalls {
  readonly #fetch: FetchLike;
  /** Ends in a slash; keys go behind it. */
  readonly base: URL;

  constructor(fetch: FetchLike, url: string) {
    this.#fetch = fetch;
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw invalidArgument(
        'url',
        typeof url === 'string' ? withoutSecrets(url) : url,
        'an http or https address',
      );
    this.base = new URL(url);
    this.base.search = '';
    this.base.hash = '';
    if (!this.base.pathname.endsWith('/')) this.base.pathname += '/';
  }

  /** For messages. */
  get name(): string {
    return withoutSecrets(this.base.href);
  }

  url(key: string, query: Record<string, string> = {}): string {
    const url = new URL(this.base);
    url.pathname += key;
    for (const [name, value] of Object.entries(query)) url.searchParams.append(name, value);
    return url.href;
  }

  /** Asks; an answer that is none of the statuses is an error with the start of what it says. */
  async ask(
    url: string,
    init: RequestInit,
    { signal, expected }: { signal?: AbortSignal | undefined; expected: readonly number[] },
  ): Promise<Response> {
    throwIfAborted(signal);
    let response: Response;
    try {
      response = await this.#fetch(url, { ...init, ...(signal !== undefined && { signal }) });
    } catch (error) {
      throwIfAborted(signal);
      throw failed(init.method, url, error instanceof Error ? reasonOf(error) : String(error), {
        cause: error,
      });
    }
    if (expected.includes(response.status)) return response;
    const said = (await response.text().catch(() => '')).slice(0, 300);
    throw failed(init.method, url, `${response.status} ${response.statusText} ${said}`.trim(), {
      details: { status: response.status },
    });
  }

  /** The body's bytes; of a part only where the server gives that part and no other. */
  async *read(
    key: string,
    { offset, length, signal }: TargetRead,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (length === 0) return;
    const url = this.url(key);
    const whole = offset === undefined && length === undefined;
    const from = offset ?? 0;
    const until = length === undefined ? '' : String(from + length - 1);
    const headers: Record<string, string> = whole ? {} : { range: `bytes=${from}-${until}` };
    const response = await this.ask(
      url,
      { method: 'GET', headers },
      { signal, expected: [whole ? 200 : 206] },
    );
    if (!whole && !response.headers.get('content-range')?.startsWith(`bytes ${from}-`))
      throw failed('GET', url, `another part than bytes ${from}-${until} came`);
    if (response.body === null) return;
    try {
      for await (const chunk of response.body) yield chunk;
    } catch (error) {
      throwIfAborted(signal);
      throw failed('GET', url, error instanceof Error ? reasonOf(error) : String(error), { cause: error });
    }
  }

  /** The body as text; what is longer than any right answer is refused. */
  async text(response: Response): Promise<string> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      if (bytes > MAX_TEXT_BYTES) throw failed('GET', response.url, `more than ${MAX_TEXT_BYTES} bytes came`);
      parts.push(chunk);
    }
    return Buffer.concat(parts).toString('utf8');
  }
}

/** The bytes in parts of this size, the last one shorter; at least one part, which may be empty. */
export async function* inParts(
  data: AsyncIterable<Uint8Array>,
  partBytes: number,
): AsyncGenerator<Buffer<ArrayBuffer>, void, undefined> {
  let part = Buffer.alloc(partBytes);
  let filled = 0;
  let given = 0;
  for await (const piece of data) {
    for (let at = 0; at < piece.length; ) {
      // Only now: a full part may be the last one.
      if (filled === partBytes) {
        yield part;
        given += 1;
        part = Buffer.alloc(partBytes);
        filled = 0;
      }
      const fits = piece.subarray(at, at + partBytes - filled);
      part.set(fits, filled);
      filled += fits.length;
      at += fits.length;
    }
  }
  if (filled > 0 || given === 0) yield part.subarray(0, filled);
}

function failed(
  method: string | undefined,
  url: string,
  why: string,
  more: { details?: { status: number }; cause?: unknown } = {},
): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${method} ${withoutSecrets(url)}: ${why}`, {
    details: { url: withoutSecrets(url), ...more.details },
    cause: more.cause,
  });
}

/** Node's fetch says why in its cause. */
function reasonOf(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return 'an address that is none';
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
