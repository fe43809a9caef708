/** Threads of one process that want the same VM: the one that comes second is told which thread has it. */
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { connectVm } from '../../../lib/index.js';
import { freshBuild } from '../../helpers/builtCommand.js';
import { refusalOf } from '../../helpers/refusal.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';

const LIBRARY = pathToFileURL(join(import.meta.dirname, '../../../dist/index.js')).href;

/** Connects in a thread of its own, and tells how that ended; `stay` until it is told to end. */
const program = `
const { parentPort, workerData, threadId } = require('node:worker_threads');
import(workerData.library).then(async ({ connectVm }) => {
  try {
    const vm = await connectVm(workerData.socket, { timeoutMs: workerData.timeoutMs });
    parentPort.postMessage({ connected: threadId });
    await new Promise((resolve) => parentPort.once('message', resolve));
    await vm.close();
  } catch (error) {
    parentPort.postMessage(error.toJSON());
  }
});`;

async function inThread(socket: string, timeoutMs: number): Promise<{ worker: Worker; told: unknown }> {
  const worker = new Worker(program, { eval: true, workerData: { library: LIBRARY, socket, timeoutMs } });
  const [told] = await once(worker, 'message');
  return { worker, told };
}

test('the thread that has the monitor is named, whichever it is, and nobody where it is another process', async () => {
  await freshBuild();
  await using daemon = await StorageDaemon.start();
  const socket = daemon.process.qmpPath;
  const vm = await connectVm(socket);
  const second = await inThread(socket, 500);
  expect(second.told).toMatchObject({
    code: 'ERR_CBT_TIMEOUT',
    reason: 'BUSY',
    message: expect.stringContaining('of this very process'),
    details: { holder: process.pid, holderThread: expect.any(Number) },
  });
  await second.worker.terminate();
  await vm.close();

  const first = await inThread(socket, 60_000);
  const { connected } = first.told as { connected: number };
  expect(await refusalOf(connectVm(socket, { timeoutMs: 500 }))).toMatchObject({
    reason: 'BUSY',
    details: { holder: process.pid, holderThread: connected },
  });
  first.worker.postMessage('end');
  await once(first.worker, 'exit');

  const stranger = await daemon.process.connect();
  const { details, message } = await refusalOf(connectVm(socket, { timeoutMs: 500 }));
  expect([details['holderThread'], message.includes('this very process')]).toEqual([undefined, false]);
  await stranger.close();
});
