/** A session of a compiled program, spoken to by hand: what it answers to what a library would never send. */
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { CALL, REPLY, type Value, writeFrame } from '../../../../lib/service/library/frames.js';
import { LibrarySession } from '../../../../lib/service/library/librarySession.js';

const text = (value: string): Value => Buffer.from(value);

/** Calls, and codes and what comes with them. */
function start() {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const ended = new LibrarySession({ input, output, env: {}, version: '1.2.3' }).run();
  ended.catch(() => undefined);
  onTestFinished(() => void input.end());
  let held = Buffer.alloc(0);
  const answers = new Map<number, { code: bigint; body: Buffer }>();
  output.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 12 && held.length >= 12 + held.readUInt32LE(0)) {
      const body = held.subarray(12, 12 + held.readUInt32LE(0));
      if (held.readUInt32LE(8) === REPLY)
        answers.set(held.readUInt32LE(4), { code: body.readBigUInt64LE(1), body: body.subarray(9) });
      held = held.subarray(12 + body.length);
    }
  });
  let id = 0;
  const send = (...values: Value[]): number => {
    id += 1;
    for (const piece of writeFrame(id, CALL, values)) input.write(piece);
    return id;
  };
  const answer = async (of: number) => {
    while (!answers.has(of)) await once(output, 'data');
    return answers.get(of)!;
  };
  const call = async (...values: Value[]) => answer(send(...values));
  return {
    input,
    ended,
    send,
    answer,
    call,
    greet: () => call(text('hello'), 2n, text('1.2.3'), text('vixdisklib')),
  };
}

test('nothing is done before it is greeted, and another protocol is told what to do', async () => {
  const { call, greet } = start();
  expect((await call(text('VixDiskLib_InitEx'), 8n, 0n, null, null)).code).toBe(16053n);
  const { code, body } = await call(text('hello'), 1n, text('9.9'));
  expect(code).toBe(16053n);
  expect(body.toString()).toContain('qemu-cbt 9.9 and the command of qemu-cbt 1.2.3 are of two kinds');
  expect((await call(text('hello'), 2n, text('1.2.3'), text('constructor'))).code).toBe(16053n);
  expect((await call(text('hello'), 2n, text('1.2.3'))).code).toBe(16053n);
  expect((await greet()).code).toBe(0n);
  // One program has one library.
  expect((await greet()).code).toBe(16053n);
});

test('what is no call, or has other values than its own, has its code, and the session goes on', async () => {
  const { call, greet } = start();
  await greet();
  expect((await call(text('VixDiskLib_InitEx'), 8n, 0n, null, null)).code).toBe(0n);
  expect((await call(text('constructor'))).code).toBe(6n);
  expect((await call()).code).toBe(6n);
  expect((await call(null)).code).toBe(6n);
  expect((await call(text('VixDiskLib_ConnectEx'))).code).toBe(3n);
  expect((await call(text('VixDiskLib_ConnectEx'), 0n, 0n, null, null, 5n)).code).toBe(3n);
  expect((await call(text('VixDiskLib_Rename'), Buffer.from([0xff]), text('/b'))).code).toBe(3n);
  expect((await call(text('VixDiskLib_Open'), 99n, text('/a'), 0n)).code).toBe(16054n);
  const connected = await call(text('VixDiskLib_ConnectEx'), 0n, 0n, null, null);
  expect(connected.code).toBe(0n);
  const connection = connected.body.readBigUInt64LE(1);
  expect((await call(text('VixDiskLib_Open'), connection, text('/a'), 2n ** 32n)).code).toBe(3n);
  // A connection is no disk, whatever number names it.
  expect((await call(text('VixDiskLib_Read'), connection, 0n, 1n)).code).toBe(1000n);
  expect((await call(text('VixDiskLib_Read'), connection, 0n, 2n ** 63n)).code).toBe(3n);
  expect((await call(text('VixDiskLib_Disconnect'), connection)).code).toBe(0n);
  expect((await call(text('VixDiskLib_Disconnect'), connection)).code).toBe(16054n);
});

test('answers come as they are ready, each to its own call', async () => {
  const { send, answer, greet } = start();
  await greet();
  const ids = Array.from({ length: 500 }, (_, i) => send(text('VixDiskLib_GetErrorText'), BigInt(i % 5)));
  for (const id of ids.reverse()) expect((await answer(id)).code).toBe(0n);
});

test('a broken message ends the session, an end in the middle of one too', async () => {
  const one = start();
  one.input.write(Buffer.alloc(12, 0xff));
  await expect(one.ended).rejects.toMatchObject({ code: 'ERR_CBT_BACKEND_PROTOCOL' });
  const two = start();
  await two.greet();
  two.input.end(Buffer.alloc(5));
  await expect(two.ended).rejects.toMatchObject({ code: 'ERR_CBT_CONNECTION_LOST' });
  const three = start();
  await three.greet();
  three.input.end();
  await expect(three.ended).resolves.toBeUndefined();
});

test('texts count with the memory that is taken for them: no more calls are read than have room', async () => {
  let [taken, answered, most] = [0, -1, 0];
  async function* input() {
    yield Buffer.concat(writeFrame(1, CALL, [text('hello'), 2n, text('1.2.3'), text('vixdisklib')]));
    for (; taken < 100; taken += 1) {
      most = Math.max(most, taken - answered);
      yield Buffer.concat(writeFrame(taken + 2, CALL, [text('VixDiskLib_GetMetadataKeys'), 99n]));
    }
  }
  const output = new Writable({
    write(chunk: Buffer, _, written) {
      if (chunk.length >= 12 && chunk.readUInt32LE(8) === REPLY) answered += 1;
      setImmediate(written);
    },
  });
  await new LibrarySession({ input: input(), output, env: {}, version: '1.2.3' }).run();
  expect(taken).toBe(100);
  // Of 8 MiB each in 64.
  expect(most).toBeLessThanOrEqual(9);
});
