// A service that backs up many VMs, again and again, until SIGTERM; what happens is a JSON line each on stdout.
//   node examples/backup-service.mjs <service.json>
// service.json: { "folder": "/backups", "everyMs": 3600000, "giveUpMs": 1800000, "keep": 14,
//                 "vms": { "web": { "address": "/run/web.qmp", "images": { "vda": "/images/web.qcow2" }, "group": "storage-1" } } }
// It may be killed and started again, QEMUs may come and go, and a run that takes too long is called off: the next one goes on from the last good run.
import { setMaxListeners } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CbtError, createPool } from 'qemu-cbt';
import { backup, prune, vmSource } from 'qemu-cbt/backup';

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: backup-service.mjs <service.json>');
  process.exit(2);
}
const {
  folder,
  vms,
  everyMs = 3_600_000,
  giveUpMs = 1_800_000,
  keep = 14,
} = JSON.parse(await readFile(file, 'utf8'));
const tell = (event) => console.log(JSON.stringify(event));
const inWords = (error) =>
  error instanceof CbtError
    ? { code: error.code, recovery: error.recovery, message: error.message }
    : { code: null, recovery: 'report', message: String(error) };

const stop = new AbortController();
// Every VM waits on it.
setMaxListeners(0, stop.signal);
for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => stop.abort(name));

const pool = createPool({
  vms,
  limits: { all: 8, group: 4 },
  onState: ({ vm, state, error }) =>
    tell({ event: 'state', vm, state, ...(error && { error: inWords(error) }) }),
});
// What a run before this one left, killed or not: sessions of it are ended, and a VM that is away is looked at when it is back.
for (const { vm, sessions, error } of await pool.recover({ timeoutMs: 60_000 }))
  if (error !== undefined || sessions.length > 0)
    tell({ event: 'recovered', vm, ...(error ? { error: inWords(error) } : { sessions }) });

/** One run of a VM: incremental where that is possible, by itself. */
async function runOnce(vm) {
  const to = join(folder, vm);
  await mkdir(to, { recursive: true });
  // Too long is called off, as is everything when the service stops: the session is rolled back, and the folder as it was.
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(giveUpMs)]);
  await pool.use(
    vm,
    async (open) => {
      const source = vmSource(open);
      const { run, disks } = await backup(source, { to, signal });
      const told = disks.map(({ disk, verdict, reason }) => ({ disk, verdict, reason }));
      tell({ event: 'run', vm, run, disks: told });
      await prune({ from: to, rules: { last: keep }, source, signal });
    },
    { signal },
  );
}

/** A VM's life in the service. No failure of one is another's, and none ends the service. */
async function serve(vm) {
  while (!stop.signal.aborted) {
    try {
      await runOnce(vm);
    } catch (error) {
      if (!stop.signal.aborted) tell({ event: 'failed', vm, error: inWords(error) });
    }
    await delay(everyMs, undefined, { signal: stop.signal }).catch(() => undefined);
  }
}

tell({ event: 'ready', vms: Object.keys(vms).length });
await Promise.all(Object.keys(vms).map(serve));
await pool.close({ timeoutMs: 30_000 });
tell({ event: 'stopped' });
