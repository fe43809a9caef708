/** `qemu-cbt serve`: runs the service until it is told to end. */
import { once } from 'node:events';
import { Log } from '../../service/log.js';
import { inventoryOf } from '../inventory.js';
import { type CliIo, tellJson } from '../io.js';

export async function serve(io: CliIo, { json = false }: { json?: boolean }): Promise<void> {
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
