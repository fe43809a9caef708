/** `qemu-cbt serve`: runs the service until it is told to end; with `--stdio`, a session of one program's libvixDiskLib. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { invalidArgument } from '../../core/errors.js';
import type { DemoStarted } from '../../demo/demo.js';
import { onFile } from '../../linux/fileFault.js';
import { Log } from '../../service/log.js';
import { inventoryOf } from '../inventory.js';
import { type CliIo, tell, tellJson } from '../io.js';

export interface ServeFlags {
  demo?: boolean;
  listen?: string;
  faults?: string;
  json?: boolean;
  stdio?: boolean;
}

export async function serve(io: CliIo, flags: ServeFlags, version: string): Promise<void> {
  const { demo = false, json = false, stdio = false } = flags;
  if (stdio) {
    const { serveStdio } = await import('../../service/library/stdio.js');
    // It ends with its program, and with nothing else that the program's terminal sends.
    io.onHangup?.(() => undefined);
    await serveStdio({ env: io.env, host: io.hostFile, version, signal: io.signal });
    return;
  }
  if (demo) {
    await serveDemo(io, flags);
    return;
  }
  for (const option of ['listen', 'faults'] as const)
    if (flags[option] !== undefined)
      throw invalidArgument(`--${option}`, flags[option], 'to be left out where there is no --demo');
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

async function serveDemo(
  io: CliIo,
  { listen = '127.0.0.1:8443', faults, json = false }: ServeFlags,
): Promise<void> {
  if (!/^(\[[0-9a-f:.]+\]|[^:/]+):\d{1,5}$/i.test(listen) || Number(listen.replace(/^.*:/, '')) > 65_535)
    throw invalidArgument('--listen', listen, 'host and port, such as 127.0.0.1:8443');
  const { Demo } = await import('../../demo/demo.js');
  const { parseFaultPlan } = await import('../../service/vim/faults/faultRules.js');
  const plan =
    faults === undefined
      ? { seed: 1, rules: [] }
      : parseFaultPlan(faults, await onFile(faults, 'reading', () => readFile(faults, 'utf8')));
  const log = new Log((line) => void io.stderr.write(line), io.env);
  const demo = await Demo.start({ address: listen, faults: plan, log, env: io.env });
  if (json) await tellJson(io, demo.started);
  else await tell(io, whatToType(demo.started));
  if (!io.signal.aborted) await once(io.signal, 'abort');
  await demo.stop();
}

/** The way in, as one pastes it. */
function whatToType({ url, user, password, thumbprint, vms }: DemoStarted): string {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const login = `host='${host}', port=${port}, user='${user}', pwd='${password}'`;
  const [web, db] = vms;
  return `A vSphere host with two VMs: ${web?.name} (${web?.moref}) runs and writes all the time, ${db?.name} (${db?.moref}) is off.

  ${url}   user ${user}   password ${password}
  thumbprint ${thumbprint}

  python3 -c "import ssl; from pyVim.connect import SmartConnect; si = SmartConnect(${login}, sslContext=ssl._create_unverified_context()); print([vm.name for vm in si.content.rootFolder.childEntity[0].vmFolder.childEntity])"
  GOVC_URL='https://${user}:${password}@${hostname}:${port}/sdk' GOVC_INSECURE=1 govc ls vm

Ctrl-C ends it, and nothing of it is left.
`;
}
