/** A session's record counts before anything in QEMU does: it is on stable storage, its folder too, before the transaction. */
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { connectVm } from '../../../../../lib/host/vm.js';
import * as record from '../../../../../lib/linux/record.js';
import * as stable from '../../../../../lib/linux/stable.js';
import { qemuImg, withFolder } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';

vi.mock('../../../../../lib/linux/record.js', { spy: true });
vi.mock('../../../../../lib/linux/stable.js', { spy: true });
afterEach(() => {
  vi.restoreAllMocks();
});

test.each(['fleece', 'overlay'] as const)('%s', (mode) =>
  withFolder(async (folder) => {
    const file = join(folder, 'a.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
    await using daemon = await StorageDaemon.start({ disks: [{ node: 'a', file }] });
    await using vm = await connectVm(daemon.process.qmpPath);
    const steps: string[] = [];
    const real = net.Socket.prototype.write;
    vi.spyOn(net.Socket.prototype, 'write').mockImplementation(function (
      this: net.Socket,
      ...args: unknown[]
    ) {
      const [, command] = /"execute":"(transaction|job-complete|block-commit)"/.exec(String(args[0])) ?? [];
      if (command !== undefined) steps.push(command);
      return (real as (...all: unknown[]) => boolean).apply(this, args);
    });
    const { syncFolder } = await vi.importActual<typeof stable>('../../../../../lib/linux/stable.js');
    vi.mocked(stable.syncFolder).mockImplementation(async (path) => {
      await syncFolder(path);
      if (path === folder) steps.push('parent');
    });
    // It is on stable storage when it returns, and in place from the second time on.
    const { writeRecord } = await vi.importActual<typeof record>('../../../../../lib/linux/record.js');
    vi.mocked(record.writeRecord).mockImplementation(async (path, text) => {
      await writeRecord(path, text);
      steps.push('record');
    });
    const session = await vm.begin({ mode, scratch: { folder } });
    expect(steps.slice(0, steps.indexOf('transaction'))).toEqual(['record', 'parent', 'record']);
    steps.length = 0;
    await session.commit();
    // Which way it ends, before QEMU hears of it.
    if (mode === 'overlay') expect(steps.slice(0, steps.indexOf('block-commit'))).toEqual(['record']);
  }),
);
