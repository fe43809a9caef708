/** A QMP client on a server that answers what a test says. */
import { expect } from 'vitest';
import { QmpClient } from '../../lib/backend/qemu/qmp/qmpClient.js';
import { FakeQmpServer } from './fakeQmpServer.js';

export const coded = (code: string, message: RegExp | string) =>
  expect.objectContaining({
    code,
    message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
  });

/** A client on a fake server, negotiated. */
export async function connected(options: Parameters<typeof QmpClient.connect>[1] = {}) {
  const server = await FakeQmpServer.start();
  const [client] = await Promise.all([QmpClient.connect(server.path, options), server.answer()]);
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
