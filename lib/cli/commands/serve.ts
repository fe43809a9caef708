/** `qemu-cbt serve`: runs the service until it is told to end; with `--stdio`, a session of one program's libvixDiskLib. */
import { once } from 'node:events';
import { Log } from '../../service/log.js';
import { inventoryOf } from '../inventory.js';
import { type CliIo, tellJson } from '../io.js';

export interface ServeFlags {
  json?: boolean;
  stdio?: boolean;
}

export async function serve(
  io: CliIo,
  { json = false, stdio = false }: ServeFlags,
  version: string,
): Promise<void> {
  if (stdio) {
    const { serveStdio } = await import('../../service/library/stdio.js');
    // It ends with its program, and with nothing else that the program's terminal sends.
    io.onHangup?.(() => undefined);
    await serveStdio({ env: io.env, host: io.hostFile, version, signal: io.signal });
    return;
  }
  const { HostService } = await import('../../service/hostService.js');
  const log = new Log((line) => void io.stderr.write(line), io.env);
  const service = await HostService.start({ inventory: inventoryOf(io), log, env: io.env });
  let reloading = Promise.resolve();
  io.onHangup?.(() => {
    reloading = reloading.then(() => service.reload());
  });
  if (json) await tellJson(io, service.started);
  if (!io.signal.aborted) await once(io.signal, 'abort');
  await reloading;
  await service.stop();
}
