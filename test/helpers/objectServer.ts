/**
 * A server that keeps objects, in this process: as a plain web server, and as a bucket by the REST API of S3 (PUT, multipart, ListObjectsV2 page by page, ranges,
 * errors as XML). It is strict where a real one is, and can be told to fail.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const MIN_PART_BYTES = 5 << 20;
const PAGE = 2;

export class ObjectServer implements AsyncDisposable {
  readonly objects = new Map<string, Buffer>();
  /** Multipart uploads that are under way, by their id. */
  readonly uploads = new Map<string, { key: string; parts: Map<number, Buffer> }>();
  /** Method and address of every request. */
  readonly asked: string[] = [];
  /** Fails the request with this status, by what it returns. */
  fail: (request: string) => number | null = () => null;
  /** Says after the parts came that it could not put them together, with status 200. */
  failLate = false;
  readonly #server: Server;
  #nextUpload = 1;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(kind: 'plain' | 's3'): Promise<ObjectServer> {
    const http = createServer();
    const server = new ObjectServer(http);
    http.on('request', (request: IncomingMessage, response: ServerResponse) => {
      server.#answer(kind, request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/bucket/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(kind: 'plain' | 's3', request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const { pathname, searchParams } = new URL(url, 'http://host');
    const key = decodeURIComponent(pathname.replace(/^\/bucket\/?/, ''));
    this.asked.push(`${method} ${url}`);
    const body = await bodyOf(request);
    const failure = this.fail(`${method} ${url}`);
    if (failure !== null) {
      error(response, failure, 'InternalError');
      return;
    }
    if (request.headers.authorization !== 'signed') {
      error(response, 403, 'AccessDenied');
      return;
    }
    if (kind === 's3' && method === 'POST') {
      this.#post(key, searchParams, body, response);
      return;
    }
    if (method === 'PUT') {
      this.#put(key, searchParams, body, response);
      return;
    }
    if (method === 'DELETE') {
      const upload = searchParams.get('uploadId');
      if (upload === null) this.objects.delete(key);
      else this.uploads.delete(upload);
      response.writeHead(204).end();
      return;
    }
    if (key !== '') this.#get(key, request.headers.range, response);
    else if (kind === 's3') this.#list(searchParams, response);
    else this.#names(searchParams, response);
  }

  #put(key: string, query: URLSearchParams, body: Buffer, response: ServerResponse): void {
    const upload = query.get('uploadId');
    if (upload === null) {
      this.objects.set(key, body);
      response.writeHead(200, { etag: '"whole"' }).end();
      return;
    }
    const found = this.uploads.get(upload);
    if (found?.key !== key) {
      error(response, 404, 'NoSuchUpload');
      return;
    }
    const number = Number(query.get('partNumber'));
    found.parts.set(number, body);
    response.writeHead(200, { etag: `"part<${number}>"` }).end();
  }

  #post(key: string, query: URLSearchParams, body: Buffer, response: ServerResponse): void {
    if (query.has('uploads')) {
      const id = `upload/${this.#nextUpload++}&`;
      this.uploads.set(id, { key, parts: new Map() });
      const told = `<UploadId>${escaped(id)}</UploadId>`;
      xml(response, `<InitiateMultipartUploadResult>${told}</InitiateMultipartUploadResult>`);
      return;
    }
    const upload = query.get('uploadId') ?? '';
    const found = this.uploads.get(upload);
    if (found === undefined) {
      error(response, 404, 'NoSuchUpload');
      return;
    }
    if (this.failLate) {
      xml(response, '<Error><Code>InternalError</Code><Message>try again</Message></Error>');
      return;
    }
    const listed = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]*)<\/ETag>/g)];
    const parts = listed.map(([, number = '', tag]) => ({
      data: found.parts.get(Number(number)),
      number,
      tag,
    }));
    const right = parts.every(
      ({ data, number, tag }, at) => data && Number(number) === at + 1 && tag === `"part&lt;${number}&gt;"`,
    );
    if (!right || parts.length !== found.parts.size) {
      error(response, 400, 'InvalidPart');
      return;
    }
    if (parts.slice(0, -1).some(({ data }) => (data?.length ?? 0) < MIN_PART_BYTES)) {
      error(response, 400, 'EntityTooSmall');
      return;
    }
    this.objects.set(key, Buffer.concat(parts.flatMap(({ data }) => data ?? [])));
    this.uploads.delete(upload);
    xml(response, '<CompleteMultipartUploadResult><ETag>"all"</ETag></CompleteMultipartUploadResult>');
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    if (query.get('list-type') !== '2') {
      error(response, 400, 'InvalidArgument');
      return;
    }
    const after = query.get('continuation-token') ?? '';
    const all = [...this.objects.keys()]
      .filter((key) => key.startsWith(query.get('prefix') ?? '') && key > after)
      .sort();
    const page = all.slice(0, PAGE);
    const more = all.length > PAGE;
    const next = more ? `<NextContinuationToken>${escaped(page.at(-1) ?? '')}</NextContinuationToken>` : '';
    const keys = page.map((key) => `<Contents><Key>${escaped(key)}</Key><Size>1</Size></Contents>`).join('');
    xml(response, `<ListBucketResult><IsTruncated>${more}</IsTruncated>${next}${keys}</ListBucketResult>`);
  }

  #names(query: URLSearchParams, response: ServerResponse): void {
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(query.get('prefix') ?? ''));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(keys));
  }

  #get(key: string, range: string | undefined, response: ServerResponse): void {
    const data = this.objects.get(key);
    if (data === undefined) {
      error(response, 404, 'NoSuchKey');
      return;
    }
    const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
    if (match === null) {
      response.writeHead(200).end(data);
      return;
    }
    const from = Number(match[1]);
    if (from >= data.length) {
      error(response, 416, 'InvalidRange');
      return;
    }
    const until = match[2] === '' ? data.length - 1 : Math.min(Number(match[2]), data.length - 1);
    response
      .writeHead(206, { 'content-range': `bytes ${from}-${until}/${data.length}` })
      .end(data.subarray(from, until + 1));
  }
}

/** As a caller's own: proves who asks, in a header. */
export const signed = (url: string, init: RequestInit): Promise<Response> =>
  fetch(url, { ...init, headers: { ...(init.headers as Record<string, string>), authorization: 'signed' } });

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function xml(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/xml' }).end(`<?xml version="1.0"?>${text}`);
}

function error(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status).end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
