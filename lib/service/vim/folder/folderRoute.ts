/** `/folder/…` over HTTPS: what programs read of a VM's files, with HEAD, GET and ranges, by a session's cookie or a name and password. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DiskData } from '../../../core/diskData.js';
import { invalidArgument } from '../../../facade/vsphere/faults.js';
import { InvalidLogin, MethodFault, type VirtualMachine } from '../../../facade/vsphere/index.js';
import { basicOf } from '../../http/basic.js';
import { drained } from '../../http/body.js';
import { rangeOf } from '../../http/range.js';
import { mayAs } from '../../users/usersFile.js';
import type { Session } from '../sessions.js';
import { type FolderFile, findFile } from './folderFiles.js';
import type { OpenDisk, Readers } from './readers.js';

/** What the route needs of the service. */
export interface FolderServices {
  readonly readers: Readers;
  vmsOf(session: Session): Promise<VirtualMachine[]>;
  /** The session of a name and password; `InvalidLogin` for wrong ones. */
  loginAs(name: string, password: string, address: string): Promise<{ session: Session; cookie: string }>;
  /** One line of the log. */
  noteRead(session: Session, path: string, status: number, address: string): void;
}

/** Read, and known to be what it is, before any of it is sent. */
const WINDOW = 4 << 20;

/** Answers one request; `cookieText` makes the header of a new session. */
export async function answerFolder(
  services: FolderServices,
  request: IncomingMessage,
  response: ServerResponse,
  known: Session | null,
  cookieText: (cookie: string) => string,
): Promise<void> {
  const address = request.socket.remoteAddress ?? '';
  const { pathname, searchParams } = new URL(request.url ?? '', 'https://localhost');
  const headers: Record<string, string> = {};
  let session = known;
  if (session === null) {
    const basic = basicOf(request.headers.authorization);
    const login = basic === null ? null : await services.loginAs(...basic, address).catch(orNull);
    if (login === null) {
      plain(response, 401, { 'WWW-Authenticate': 'Basic realm="qemu-cbt"' });
      return;
    }
    session = login.session;
    headers['Set-Cookie'] = cookieText(login.cookie);
  }
  const viewer = session;
  viewer.touch();
  const done = (status: number): void => services.noteRead(viewer, pathname, status, address);
  viewer.pending += 1;
  try {
    if (request.method !== 'GET' && request.method !== 'HEAD') plain(response, 403, headers);
    else {
      const file = await findFile(pathname, searchParams, { vms: () => services.vmsOf(viewer) });
      if (file === null) plain(response, 404, headers);
      else if (file.kind !== 'disk') sendText(request, response, file, headers);
      else if (!mayAs(viewer.user, 'backup')) plain(response, 403, headers);
      else await sendDisk(services.readers, request, response, file, headers);
    }
  } catch (error) {
    if (!response.headersSent) plain(response, error instanceof MethodFault ? 403 : 500, headers);
    else response.destroy();
  } finally {
    viewer.pending -= 1;
    viewer.touch();
    done(response.statusCode);
  }
}

function orNull(error: unknown): null {
  if (error instanceof InvalidLogin) return null;
  throw error;
}

function plain(response: ServerResponse, status: number, headers: Record<string, string>): void {
  response.writeHead(status, { ...headers, 'Content-Length': 0 });
  response.end();
}

function sendText(
  { method }: IncomingMessage,
  response: ServerResponse,
  file: Exclude<FolderFile, { kind: 'disk' }>,
  headers: Record<string, string>,
): void {
  const isList = file.kind === 'list';
  const text = isList
    ? `<!DOCTYPE html>\n<title>Datastore</title>\n${file.names.map((name) => `<a href="${encodeURI(name).replaceAll('&', '&amp;')}">${name.replace(/[&<>]/g, '')}</a><br>\n`).join('')}`
    : file.text;
  response.writeHead(200, {
    ...headers,
    'Content-Type': isList ? 'text/html; charset=utf-8' : 'application/octet-stream',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(method === 'HEAD' ? undefined : text);
}

async function sendDisk(
  readers: Readers,
  request: IncomingMessage,
  response: ServerResponse,
  { vm, disk, sizeBytes }: Extract<FolderFile, { kind: 'disk' }>,
  more: Record<string, string>,
): Promise<void> {
  const range = rangeOf(request.headers.range, sizeBytes);
  const headers = { ...more, 'Accept-Ranges': 'bytes', 'Content-Type': 'application/octet-stream' };
  if (range === 'unsatisfiable') {
    plain(response, 416, { ...headers, 'Content-Range': `bytes */${sizeBytes}` });
    return;
  }
  const { start, end } = range ?? { start: 0, end: sizeBytes };
  if (vm.runtime.powerState !== 'poweredOff' && vm.snapshot === undefined)
    throw invalidArgument('path', `${vm.name} runs: its disks are read while there is a snapshot`);
  const head = (): void => {
    response.writeHead(range === null ? 200 : 206, {
      ...headers,
      'Content-Length': end - start,
      ...(range !== null && { 'Content-Range': `bytes ${start}-${end - 1}/${sizeBytes}` }),
    });
  };
  if (request.method === 'HEAD') {
    head();
    response.end();
    return;
  }
  await readers.use(vm, disk, async (opened, signal) => {
    requireSize(opened.data, sizeBytes, disk);
    for (let at = start, next = read(opened, at, end, signal); at < end; ) {
      const window = await next;
      at += window.length;
      // The next is read while this one goes out.
      if (at < end) next = read(opened, at, end, signal);
      next.catch(() => undefined);
      if (!response.headersSent) head();
      if (!response.write(window) && !(await drained(response))) {
        response.destroy();
        await next.catch(() => undefined);
        return;
      }
    }
    response.end();
  });
}

/** Bytes that are those of the instant: asked after they were read. */
async function read(
  { data, check }: OpenDisk,
  at: number,
  end: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const window = await data.read(at, Math.min(WINDOW, end - at), { signal });
  await check();
  return window;
}

function requireSize({ info }: DiskData, sizeBytes: number, disk: string): void {
  if (info.sizeBytes >= sizeBytes) return;
  throw invalidArgument(
    'path',
    `${disk} has ${info.sizeBytes} bytes, and had ${sizeBytes} when it was looked up`,
  );
}
