/** A web server that keeps what is put on it as a target: PUT, GET with ranges, DELETE, and a list. */
import { CbtError } from '../../core/errors.js';
import { type Checks, callback, checkOptions, integer, required, text } from '../../core/options.js';
import type { BackupTarget, TargetCall, TargetRead, TargetWrite } from '../target.js';
import { type FetchLike, HttpCalls, inParts } from './httpCalls.js';

/** Where it is, and how it is asked. */
export interface HttpTargetOptions {
  /** Address below which objects are; a key goes behind it. */
  url: string;
  /** As Node's `fetch`, which it is unless given; whatever else proves who asks is added there. */
  fetch?: FetchLike | undefined;
  /** Gives every key that begins with the prefix. Unless given, GET of the address with `?prefix=` must answer a JSON list of keys. */
  list?: ((prefix: string, call: TargetCall) => Promise<Iterable<string>>) | undefined;
  /** Most bytes of an object, which is held in memory while it is sent; 64 MiB unless given, up to 1 GiB. A larger one is sent as a stream. */
  bufferBytes?: number | undefined;
}

const HTTP: Checks<HttpTargetOptions> = {
  url: required(text),
  fetch: callback,
  list: callback,
  bufferBytes: integer(1 << 16, 1 << 30),
};

/**
 * Objects on a web server. It must keep what a PUT brought as a whole or not at all, and answer GET with `Range` by that part (206); one that does
 * not is found out by the sums.
 * @param options Where, and how requests are made.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be.
 * @example
 * ```ts
 * const target = httpTarget({ url: 'https://store.example/backups/' });
 * ```
 */
export function httpTarget(options: HttpTargetOptions): BackupTarget {
  checkOptions('httpTarget', options, HTTP);
  const { url, fetch: ask = fetch, list, bufferBytes = 64 << 20 } = options;
  const calls = new HttpCalls(ask, url);
  return {
    name: calls.name,
    async write(key, data, { signal }: TargetWrite) {
      const parts = inParts(data, bufferBytes);
      const { value: first = Buffer.alloc(0) } = await parts.next();
      const second = first.length < bufferBytes ? undefined : (await parts.next()).value;
      const expected = [200, 201, 204];
      if (second === undefined) {
        await calls.ask(calls.url(key), { method: 'PUT', body: first }, { signal, expected });
        return;
      }
      const body = ReadableStream.from(rest([first, second], parts));
      const init = { method: 'PUT', body, duplex: 'half' } as RequestInit;
      await calls.ask(calls.url(key), init, { signal, expected });
    },
    read: (key, read: TargetRead = {}) => calls.read(key, read),
    async *list(prefix, { signal }: TargetCall = {}) {
      if (list !== undefined) {
        yield* await list(prefix, { signal });
        return;
      }
      const asked = calls.url('', { prefix });
      const answer = await calls.ask(asked, { method: 'GET' }, { signal, expected: [200] });
      yield* keysIn(calls.name, await calls.text(answer));
    },
    async remove(key, { signal }: TargetCall = {}) {
      await calls.ask(calls.url(key), { method: 'DELETE' }, { signal, expected: [200, 202, 204, 404] });
    },
  };
}

async function* rest(
  first: readonly Uint8Array[],
  parts: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* first;
  yield* parts;
}

function keysIn(name: string, answer: string): string[] {
  try {
    const keys: unknown = JSON.parse(answer);
    if (Array.isArray(keys) && keys.every((key) => typeof key === 'string')) return keys;
  } catch {
    // Said below.
  }
  throw new CbtError('ERR_CBT_BACKEND_PROTOCOL', `${name}: its list is no JSON list of keys`);
}
