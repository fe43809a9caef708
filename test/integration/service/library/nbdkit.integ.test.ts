/** nbdkit's vddk plugin, as Debian builds it for VMware's library, on ours: local images both ways, and snapshots of a running VM. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { disks, KIB64, MIB, snapshot, startVm } from '../../../conformance/vsphere/support.js';
import { freshBuild, runCommand } from '../../../helpers/builtCommand.js';
import { LIBDIR } from '../../../helpers/compiledProgram.js';
import { qemuImg, qemuIo } from '../../../helpers/qemuTools.js';
import { makeTemporaryFolder } from '../../../helpers/temporaryFolder.js';

const run = promisify(execFile);
const FETCH = fileURLToPath(new URL('../../../../scripts/vddk-plugin.mjs', import.meta.url));

let plugin: string;
beforeAll(async () => {
  await freshBuild();
  plugin = (await run(process.execPath, [FETCH])).stdout.trim();
});

/** What nbdkit prints while the shell command runs on its `$uri`. */
async function nbdkit(
  parameters: string[],
  command: string,
  env: Record<string, string> = {},
): Promise<string> {
  const args = ['-U', '-', plugin, `libdir=${LIBDIR}`, ...parameters, '--run', command];
  return (await run('nbdkit', args, { env: { ...process.env, ...env } })).stdout;
}

async function makeFolder(): Promise<string> {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  return folder.path;
}

test('it finds every call that it needs', async () => {
  const { stdout } = await run('nbdkit', [plugin, `libdir=${LIBDIR}`, '--dump-plugin']);
  expect(stdout).toContain('vddk_library_version=8');
  expect(stdout).toContain('vddk_transport_modes=file:nbd');
  for (const name of ['QueryAllocatedBlocks', 'AllocateConnectParams', 'Wait', 'FreeBlockList'])
    expect(stdout).toMatch(new RegExp(`VixDiskLib_${name}=1`));
  expect((await runCommand(['libdir'])).stdout).toBe(`${LIBDIR}\n`);
});

test('an image is copied out and in, to the byte, with its holes', async () => {
  const folder = await makeFolder();
  const [from, raw, to] = [join(folder, 'from.qcow2'), join(folder, 'out.raw'), join(folder, 'to.qcow2')];
  await qemuImg('create', '-q', '-f', 'qcow2', from, String(65 * MIB + 512));
  await qemuIo([from], 'write -P 3 0 5M', 'write -P 4 50M 1M', 'write -P 5 60M 512', `write -P 6 65M 512`);
  const printed = await nbdkit([`file=${from}`], `nbdinfo --json --map $uri && nbdcopy $uri ${raw}`);
  const data = (JSON.parse(printed) as { offset: number; length: number; type: number }[])
    .filter(({ type }) => type === 0)
    .map(({ offset, length }) => [offset, length]);
  expect(data).toEqual([
    [0, 5 * MIB],
    [50 * MIB, MIB],
    [60 * MIB, KIB64],
    [65 * MIB, 512],
  ]);
  await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', from, raw);
  await qemuImg('create', '-q', '-f', 'qcow2', to, String(65 * MIB + 512));
  await nbdkit([`file=${to}`], `nbdcopy ${raw} $uri`);
  await qemuImg('compare', from, to);
});

test('a snapshot of a running VM is copied as it was, while the guest writes on', async () => {
  const folder = await makeFolder();
  const stateFolder = join(folder, 'state');
  const { vm, daemon } = await startVm({ stateFolder });
  await daemon.guestIo('d', 'write -P 1 0 8M', 'write -P 2 40M 64k');
  const { reference, taken } = await snapshot(vm);
  await daemon.guestIo('d', 'write -P 9 4M 8M', 'write -P 9 40M 64k');
  const [expected, raw, host] = [
    join(folder, 'expected.raw'),
    join(folder, 'out.raw'),
    join(folder, 'host.yaml'),
  ];
  await qemuImg('create', '-q', '-f', 'raw', expected, '64M');
  await qemuIo(['-f', 'raw', expected], 'write -P 1 0 8M', 'write -P 2 40M 64k');
  const qmp = daemon.process.file('qmp.sock');
  await writeFile(
    host,
    `vms:\n  - name: web\n    qmpSocket: ${qmp}\n    scratchFolder: ${folder}\n    nbdSocket: ${daemon.nbdPath}\n    allowUnwatchedScratch: true\n    disks: [d]\n`,
  );
  const [disk] = disks(taken);
  const remote = (server: string): string[] => [
    ...[`server=${server}`, 'user=backup', 'password=secret', `vm=moref=${vm.value}`],
    ...['thumbprint=aa:bb', `snapshot=${reference.value}`, 'transports=file:nbdssl:nbd', '-r'],
    `file=${disk!.backing.fileName}`,
  ];
  const env = { QEMU_CBT_HOST: host, QEMU_CBT_STATE: stateFolder };
  await nbdkit(remote('localhost'), `nbdcopy $uri ${raw}`, env);
  await qemuImg('compare', '-f', 'raw', '-F', 'raw', expected, raw);
  // The VMs of another machine are not these.
  const failed = await nbdkit(remote('vcenter.example.invalid'), 'nbdinfo $uri', env).catch(String);
  expect(failed).toContain('vcenter.example.invalid is not this machine');
  await taken.RemoveSnapshot_Task(false).wait();
});
