import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { ReaderGone, write } from '../../../lib/cli/io.js';

/** A pipe that holds one byte; `fail` is the code of the error that every write ends with. */
function pipe(fail?: string): Writable {
  const stream = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) =>
      void setImmediate(done, fail === undefined ? null : Object.assign(new Error(fail), { code: fail })),
  });
  // As main does for the process's own streams.
  return stream.on('error', () => undefined);
}

test('waits until a full pipe has room, and leaves no listener behind', async () => {
  const stream = pipe();
  const before = stream.eventNames().map((name) => stream.listenerCount(name));
  for (let i = 0; i < 20; i += 1) await write(stream, 'some text');
  expect(stream.eventNames().map((name) => stream.listenerCount(name))).toEqual(before);
});

test('a reader that went away while we waited is told as that', async () => {
  await expect(write(pipe('EPIPE'), 'some text')).rejects.toBeInstanceOf(ReaderGone);
  const closed = pipe();
  const waiting = write(closed, 'some text');
  closed.destroy();
  await expect(waiting).rejects.toBeInstanceOf(ReaderGone);
  await expect(write(closed, 'more')).rejects.toBeInstanceOf(ReaderGone);
});

test('any other failure of the stream stays what it is', async () => {
  await expect(write(pipe('ENOSPC'), 'some text')).rejects.toMatchObject({ code: 'ENOSPC' });
});
