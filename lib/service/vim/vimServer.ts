/** The vSphere API over HTTPS: three addresses, one of them SOAP. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { CbtError } from '../../core/errors.js';
import { BodyTooLong, readBody, writeBody } from '../http/body.js';
import type { Certificate } from '../http/certificate.js';
import { Connections } from '../http/connections.js';
import { cookieOf } from '../http/cookie.js';
import { answerFaults } from './faults/faultsRoute.js';
import { answerFolder } from './folder/folderRoute.js';
import type { VimService } from './vimService.js';

/** Names of the API's versions that are taken; clients choose the newest that they know too. */
const VERSION = '6.7.1';
const PRIOR = ['6.7', '6.5', '6.0', '5.5', '5.1', '5.0', '4.1', '4.0', '2.5u2', '2.5', '2.0'];
const VERSIONS = `<?xml version="1.0" encoding="UTF-8"?>
<namespaces version="1.0"><namespace><name>urn:vim25</name><version>${VERSION}</version><priorVersions>${PRIOR.map(
  (one) => `<version>${one}</version>`,
).join('')}</priorVersions></namespace></namespaces>
`;
const COOKIE = 'vmware_soap_session';

const BEFORE_LOGIN = 1 << 20;
const AFTER_LOGIN = 8 << 20;
/** Clients keep connections that they do not use for up to a quarter of an hour, and do not try again on another. */
const KEEP_ALIVE_MS = 20 * 60_000;
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
const LIMITS = { perAddress: 64, all: 512 };

export interface VimServerOptions {
  host: string;
  /** 0: any that is free. */
  port: number;
  certificate: Certificate;
  /** A socket that listens already, in place of the address. */
  fd?: number;
}

/** The server, listening until it is closed. */
export class VimServer {
  readonly #server: Server;
  readonly #connections = new Connections(LIMITS);
  readonly #ending = new AbortController();

  private constructor(
    readonly service: VimService,
    { certificate }: VimServerOptions,
  ) {
    this.#server = createServer(
      {
        ...certificate,
        minVersion: 'TLSv1.2',
        handshakeTimeout: HEADERS_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout: HEADERS_MS,
        requestTimeout: REQUEST_MS,
        maxHeaderSize: 16_384,
      },
      (request, response) => {
        this.#answer(request, response).catch(() => response.destroy());
      },
    );
    this.#server.on('connection', (socket: Socket) => this.#connections.add(socket));
    this.#server.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  static async listen(service: VimService, options: VimServerOptions): Promise<VimServer> {
    const server = new VimServer(service, options);
    const { host, port, fd } = options;
    server.#server.listen(fd === undefined ? { host, port } : { fd });
    await once(server.#server, 'listening').catch((error: NodeJS.ErrnoException) => {
      const what = `${host}:${port} cannot be listened on: ${error.message}`;
      const details = { address: `${host}:${port}`, errno: error.code ?? null };
      throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', what, { details, cause: error });
    });
    return server;
  }

  /** The port that it got. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#connections.count;
  }

  /** Takes no new requests, ends waits, and lets answers that are under way go out for a moment. */
  async close(graceMs = 5000): Promise<void> {
    this.#ending.abort();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#connections.end(false);
    const timer = setTimeout(() => this.#connections.end(true), graceMs);
    await closed;
    clearTimeout(timer);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const done = this.#connections.begin(request.socket);
    try {
      if (/^\/folder([/?]|$)/.test(request.url ?? '')) {
        await this.#folder(request, response);
        return;
      }
      const path = (request.url ?? '').replace(/\?.*$/s, '').replace(/\/$/, '');
      const { faults } = this.service;
      if (path === '/sdk/vimServiceVersions.xml' && isRead(request)) send(response, 200, VERSIONS);
      else if (path === '/demo/faults' && faults !== null)
        await answerFaults(faults, this.service, request, response);
      else if (path !== '/sdk') send(response, 404);
      else if (request.method !== 'POST') send(response, 405, '', { Allow: 'POST' });
      else if (!/^text\/xml\b/i.test(request.headers['content-type'] ?? '')) send(response, 415);
      else if (request.headers['content-encoding'] !== undefined) send(response, 415);
      else await this.#soap(request, response);
    } finally {
      done();
    }
  }

  async #folder(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const session = this.service.sessions.find(cookieOf(request.headers.cookie, COOKIE));
    if (session !== null) this.#connections.trust(request.socket);
    request.resume();
    await answerFolder(this.service, request, response, session, cookieText);
  }

  async #soap(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket, headers } = request;
    const cookie = cookieOf(headers.cookie, COOKIE);
    const isKnown = this.service.sessions.find(cookie) !== null;
    if (isKnown) this.#connections.trust(socket);
    let text: string;
    try {
      text = await readBody(request, isKnown ? AFTER_LOGIN : BEFORE_LOGIN);
    } catch (error) {
      if (!(error instanceof BodyTooLong)) throw error;
      send(response, 413, '', { Connection: 'close' });
      // With the rest unread the client would go on sending, and hear nothing.
      response.once('finish', () => socket.destroy());
      return;
    }
    const gone = new AbortController();
    const onClose = (): void => gone.abort();
    response.once('close', onClose);
    const answer = await this.service.answer(text, cookie, {
      address: socket.remoteAddress ?? '',
      userAgent: headers['user-agent'] ?? '',
      signal: AbortSignal.any([gone.signal, this.#ending.signal]),
    });
    if (response.destroyed) return;
    response.writeHead(answer.status, {
      'Content-Type': 'text/xml; charset="utf-8"',
      'Cache-Control': 'no-cache',
      ...(answer.cookie !== null && {
        'Set-Cookie': cookieText(answer.cookie),
      }),
    });
    if (answer.breaksOff === true) {
      const [first = ''] = answer.pieces;
      response.write(first.slice(0, first.length / 2), () => socket.destroy());
      return;
    }
    await writeBody(response, answer.pieces);
    response.removeListener('close', onClose);
  }
}

const cookieText = (cookie: string): string => `${COOKIE}="${cookie}"; Path=/; HttpOnly; Secure`;

const isRead = ({ method }: IncomingMessage): boolean => method === 'GET' || method === 'HEAD';

function send(
  response: ServerResponse,
  status: number,
  body = '',
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'Content-Type': body === '' ? 'text/plain' : 'text/xml; charset="utf-8"',
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}
