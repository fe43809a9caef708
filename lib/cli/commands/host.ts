/** `qemu-cbt host check`: whether the host file is right, and what would go wrong with each VM that it names. */
import { stat } from 'node:fs/promises';
import { ofEach } from '../../core/ofEach.js';
import { HostFileError } from '../../host/hostFile.js';
import type { Inventory } from '../../host/inventory.js';
import type { CheckedVm } from '../../host/vmCheck.js';
import { exitCodeOf } from '../exitCode.js';
import { inventoryOf } from '../inventory.js';
import { type CliIo, write, writeJson } from '../io.js';
import { printable } from '../report.js';
import { describePower, vmJson } from './vms.js';

/** Exit code: the worst of what was found; 0 also where only notes are. */
export async function hostCheck(io: CliIo, { json = false }: { json?: boolean }): Promise<number> {
  const { checkVm } = await import('../../host/vmCheck.js');
  const inventory = inventoryOf(io);
  let vms: Awaited<ReturnType<Inventory['vms']>>;
  try {
    vms = await inventory.vms();
  } catch (error) {
    if (!(error instanceof HostFileError) || !json) throw error;
    await writeJson(io, { file: error.file, problems: error.problems, notes: [], vms: [] });
    return exitCodeOf(error);
  }
  const { signal } = io;
  const file = (await inventory.file())?.path ?? null;
  const checked = await ofEach(vms, (vm) => checkVm(vm, { signal }));
  const missing = await missingFolders(inventory);
  const notes = (await inventory.unserved())
    .filter((what) => !what.startsWith('VM '))
    .map((what) => `${what} is not served by this version`);
  if (json) await writeJson(io, { file, problems: missing, notes, vms: checked.map(toJson) });
  else {
    const head = file === null ? 'no host file: nothing to check' : `${file}: ${checked.length} VMs`;
    const about = [
      ...missing.map(({ message }) => `  problem: ${message}`),
      ...notes.map((note) => `  note: ${note}`),
    ];
    const lines = [head, ...about, ...checked.flatMap(describe)];
    await write(io.stdout, lines.map((line) => `${printable(line)}\n`).join(''));
  }
  const codes = checked.flatMap(({ findings }) =>
    findings.flatMap(({ error }) => (error === undefined ? [] : [exitCodeOf(error)])),
  );
  return Math.max(0, ...codes, ...missing.map(() => 5));
}

async function missingFolders(inventory: Inventory): Promise<{ message: string }[]> {
  const found: { message: string }[] = [];
  for (const [name, { folder }] of Object.entries((await inventory.file())?.says.datastores ?? {}))
    if (folder !== undefined && !(await stat(folder).catch(() => null))?.isDirectory())
      found.push({ message: `datastore ${name}: there is no folder ${folder}` });
  return found;
}

function toJson({ seen, findings }: CheckedVm): object {
  return {
    ...vmJson(seen),
    findings: findings.map(({ level, message, error }) => ({
      level,
      message,
      ...(error !== undefined && { code: error.code, reason: error.reason ?? null }),
    })),
  };
}

function describe({ seen, findings }: CheckedVm): string[] {
  const well = findings.length === 0 ? ', well' : '';
  return [
    `${seen.name}: ${describePower(seen)}${well}`,
    ...findings.map(({ level, message }) => `  ${level}: ${message}`),
  ];
}
