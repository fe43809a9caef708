/** Bodies over HTTP: read within a limit, written as fast as the other end reads and no faster. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A body that is longer than may be. */
export class BodyTooLong extends Error {
  constructor(readonly limit: number) {
    super(`the body has more than ${limit} bytes`);
  }
}

/** The whole body as text; `BodyTooLong` as soon as it is. What was sent without a length is counted while it comes. */
export async function readBody(request: IncomingMessage, limit: number): Promise<string> {
  const told = Number(request.headers['content-length'] ?? 0);
  if (told > limit) throw new BodyTooLong(limit);
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > limit) throw new BodyTooLong(limit);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** An answer's other end takes nothing for so long, or is gone. */
const STALLED_MS = 60_000;

/** Writes pieces and ends; false where the other end went away or took nothing any more. */
export async function writeBody(response: ServerResponse, pieces: Iterable<string>): Promise<boolean> {
  for (const piece of pieces) {
    if (piece === '') continue;
    if (response.destroyed) return false;
    if (!response.write(piece) && !(await drained(response))) {
      response.destroy();
      return false;
    }
  }
  response.end();
  return true;
}

/** Whether the other end takes more, once it has taken what there was; false where it went away, or took nothing for a minute. */
export function drained(response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isDrained: boolean) => (): void => {
      clearTimeout(timer);
      response.removeListener('drain', onDrain);
      response.removeListener('close', onClose);
      resolve(isDrained);
    };
    const onDrain = settle(true);
    const onClose = settle(false);
    const timer = setTimeout(onClose, STALLED_MS);
    response.once('drain', onDrain);
    response.once('close', onClose);
    if (response.destroyed) onClose();
  });
}
