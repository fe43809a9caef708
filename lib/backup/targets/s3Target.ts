/**
 * A bucket as a target, by the REST API of Amazon S3 and of those that are like it. Who signs is the caller's `fetch`: no key comes in here. Large objects go as
 * multipart uploads, of which one part at a time is held in memory; one that fails is called off, and leaves nothing.
 */
import { SaxesParser } from 'saxes';
import { CbtError } from '../../core/errors.js';
import { type Checks, callback, checkOptions, integer, required, text } from '../../core/options.js';
import type { BackupTarget, TargetCall, TargetRead, TargetWrite } from '../target.js';
import { type FetchLike, HttpCalls, inParts } from './httpCalls.js';

/** The bucket, and how it is asked. */
export interface S3TargetOptions {
  /** Address of the bucket: `https://bucket.s3.eu-central-1.amazonaws.com` or `https://host/bucket`. */
  url: string;
  /** What every key begins with, `backups/web/` say; nothing unless given. */
  prefix?: string | undefined;
  /** Signs a request and sends it, as `AwsClient.fetch` of aws4fetch does. */
  fetch: FetchLike;
  /** Bytes of a part, 5 MiB to 1 GiB; 16 MiB unless given, and more where an object would have too many parts. */
  partBytes?: number | undefined;
}

const MIB = 1 << 20;
/** S3's limits: 10 000 parts, each of 5 MiB at least but for the last. */
const MAX_PARTS = 10_000;

const S3: Checks<S3TargetOptions> = {
  url: required(text),
  prefix: text,
  fetch: { required: callback },
  partBytes: integer(5 * MIB, 1 << 30),
};

/**
 * Objects of a bucket.
 * @param options Where, and a `fetch` that signs.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be.
 * @example
 * ```ts
 * const target = s3Target({ url: 'https://s3.example/bucket/web/', fetch });
 * ```
 */
export function s3Target(options: S3TargetOptions): BackupTarget {
  checkOptions('s3Target', options, S3);
  const { url, prefix = '', fetch, partBytes = 16 * MIB } = options;
  return new S3Target(new HttpCalls(fetch, url), prefix, partBytes);
}

class S3Target implements BackupTarget {
  readonly #calls: HttpCalls;
  readonly #prefix: string;
  readonly #partBytes: number;

  constructor(calls: HttpCalls, prefix: string, partBytes: number) {
    this.#calls = calls;
    this.#prefix = prefix;
    this.#partBytes = partBytes;
  }

  get name(): string {
    return this.#calls.name + this.#prefix;
  }

  async write(
    key: string,
    data: AsyncIterable<Uint8Array>,
    { atMostBytes, signal }: TargetWrite,
  ): Promise<void> {
    const partBytes = Math.max(this.#partBytes, Math.ceil(atMostBytes / MAX_PARTS / MIB) * MIB);
    const parts = inParts(data, partBytes);
    const { value: first = Buffer.alloc(0) } = await parts.next();
    if (first.length < partBytes) {
      await this.#ask('PUT', key, {}, { body: first, signal });
      return;
    }
    const started = await this.#ask('POST', key, { uploads: '' }, { signal });
    const uploadId = required1(await this.#xml(started), 'UploadId', 'InitiateMultipartUploadResult');
    try {
      const tags: string[] = [await this.#part(key, uploadId, 1, first, signal)];
      for await (const part of parts)
        tags.push(await this.#part(key, uploadId, tags.length + 1, part, signal));
      const list = tags.map(
        (tag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${escaped(tag)}</ETag></Part>`,
      );
      const body = `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`;
      const ended = await this.#ask('POST', key, { uploadId }, { body, signal });
      // It answers 200 before it knows, and says in the body how it went.
      required1(await this.#xml(ended), 'ETag', 'CompleteMultipartUploadResult');
    } catch (error) {
      await this.#ask('DELETE', key, { uploadId }, { expected: [200, 204, 404] }).catch(() => undefined);
      throw error;
    }
  }

  read(key: string, options: TargetRead = {}): AsyncIterable<Uint8Array> {
    return this.#calls.read(this.#prefix + key, options);
  }

  async *list(prefix: string, { signal }: TargetCall = {}): AsyncGenerator<string, void, undefined> {
    for (let token: string | undefined; ; ) {
      const query = { 'list-type': '2', prefix: this.#prefix + prefix };
      const url = this.#calls.url(
        '',
        token === undefined ? query : { ...query, 'continuation-token': token },
      );
      const answer = await this.#calls.ask(url, { method: 'GET' }, { signal, expected: [200] });
      const { root, values } = await this.#xml(answer);
      if (root !== 'ListBucketResult') throw odd('list', root);
      for (const key of values.get('Key') ?? [])
        if (key.startsWith(this.#prefix)) yield key.slice(this.#prefix.length);
      if (values.get('IsTruncated')?.[0] !== 'true') return;
      const next = values.get('NextContinuationToken')?.[0];
      // The rest would be left out.
      if (next === undefined || next === token)
        throw odd('list', 'an answer that is cut off and does not say how to go on');
      token = next;
    }
  }

  async remove(key: string, { signal }: TargetCall = {}): Promise<void> {
    await this.#ask('DELETE', key, {}, { signal, expected: [200, 204, 404] });
  }

  async #part(
    key: string,
    uploadId: string,
    partNumber: number,
    body: Buffer<ArrayBuffer>,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const answer = await this.#ask(
      'PUT',
      key,
      { partNumber: String(partNumber), uploadId },
      { body, signal },
    );
    const tag = answer.headers.get('etag');
    if (tag === null) throw odd(`part ${partNumber}`, 'an answer without ETag');
    return tag;
  }

  #ask(
    method: string,
    key: string,
    query: Record<string, string>,
    {
      body,
      signal,
      expected = [200],
    }: {
      body?: string | Buffer<ArrayBuffer> | undefined;
      signal?: AbortSignal | undefined;
      expected?: readonly number[];
    },
  ): Promise<Response> {
    const url = this.#calls.url(this.#prefix + key, query);
    return this.#calls.ask(url, { method, ...(body !== undefined && { body }) }, { signal, expected });
  }

  async #xml(answer: Response): Promise<Xml> {
    return parseXml(await this.#calls.text(answer));
  }
}

/** The text of every element, by its name; the answers that are read here need no more. */
interface Xml {
  root: string;
  values: ReadonlyMap<string, readonly string[]>;
}

function parseXml(source: string): Xml {
  const values = new Map<string, string[]>();
  const open: { name: string; text: string }[] = [];
  let root = '';
  const parser = new SaxesParser();
  parser.on('opentag', ({ name }) => {
    if (open.length === 0) root = name;
    open.push({ name, text: '' });
  });
  parser.on('text', (part) => {
    const last = open.at(-1);
    if (last !== undefined) last.text += part;
  });
  parser.on('closetag', () => {
    const closed = open.pop();
    if (closed !== undefined) values.set(closed.name, [...(values.get(closed.name) ?? []), closed.text]);
  });
  try {
    parser.write(source).close();
  } catch (error) {
    throw odd('XML', error instanceof Error ? error.message : String(error));
  }
  return { root, values };
}

/** The one value that the answer must have. */
function required1({ root, values }: Xml, name: string, expectedRoot: string): string {
  const value = values.get(name)?.[0];
  if (root === expectedRoot && value !== undefined && value !== '') return value;
  throw odd(
    expectedRoot,
    `${root}: ${values.get('Code')?.[0] ?? ''} ${values.get('Message')?.[0] ?? ''}`.trim(),
  );
}

function odd(what: string, came: string): CbtError {
  return new CbtError(
    'ERR_CBT_BACKEND_PROTOCOL',
    `the bucket’s answer to ${what} cannot be used: ${came.slice(0, 300)}`,
  );
}

function escaped(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
