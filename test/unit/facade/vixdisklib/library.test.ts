/** The end of a client's library: everything is closed, and what fails is told. */
import { expect, test, vi } from 'vitest';
import type { VixDiskLibHandle } from '../../../../lib/facade/vixdisklib/index.js';
import { Library, runWithLibrary } from '../../../../lib/facade/vixdisklib/library.js';
import { VixDiskLibConnection } from '../../../../lib/facade/vixdisklib/objects/connection.js';

const failing = (message: string) => ({ close: vi.fn(() => Promise.reject(new Error(message))) });

test('what could not be closed is in the log, each of it, and the rest is closed', async () => {
  const library = new Library();
  const lines: string[] = [];
  library.initialise({ major: 8, minor: 0, log: (line) => lines.push(line) });
  const closed = { close: vi.fn(() => Promise.resolve()) };
  for (const connection of [failing('one was not written'), failing('another was not written'), closed])
    await library.keep(connection);
  await expect(library.close()).rejects.toThrow('one was not written');
  expect(closed.close).toHaveBeenCalledOnce();
  expect(lines.slice(1)).toEqual(['one was not written', 'another was not written']);
  expect(() => library.requireInitialised()).toThrow('VixDiskLib_InitEx has not been called');
});

test('a disk that cannot be closed keeps no other disk of its connection open', async () => {
  await runWithLibrary(new Library(), async () => {
    const connection = await VixDiskLibConnection.open(null, false, null, null);
    const disks = [failing('it was not written'), { close: vi.fn(() => Promise.resolve()) }];
    for (const disk of disks) connection.handles.add(disk as unknown as VixDiskLibHandle);
    await expect(connection.close()).rejects.toThrow('it was not written');
    for (const disk of disks) expect(disk.close).toHaveBeenCalledOnce();
  });
});
