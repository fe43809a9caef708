/** `qemu-cbt doctor --system`: what this machine has of what the product needs. */
import type { SystemFact } from '../../host/systemCheck.js';
import { exitCodeOf } from '../exitCode.js';
import { inventoryOf } from '../inventory.js';
import { type CliIo, write, writeJson } from '../io.js';
import { printable } from '../report.js';

/** Exit code: the worst of what was found; 0 also where only notes are. */
export async function doctorSystem(
  io: CliIo,
  { json, scratch }: { json?: boolean; scratch?: string },
): Promise<number> {
  const { checkSystem } = await import('../../host/systemCheck.js');
  const facts = await checkSystem({ inventory: inventoryOf(io), scratch, signal: io.signal });
  if (json) await writeJson(io, { facts: facts.map(toJson) });
  else await write(io.stdout, facts.map(describe).join(''));
  return facts.reduce((worst, { error }) => Math.max(worst, error === undefined ? 0 : exitCodeOf(error)), 0);
}

function toJson({ error, fix, ...fact }: SystemFact): object {
  return { ...fact, fix: fix ?? null, code: error?.code ?? null };
}

function describe({ what, level, message, fix }: SystemFact): string {
  const mark = { ok: 'ok     ', note: 'note   ', problem: 'PROBLEM' }[level];
  const line = `${mark} ${printable(what)}: ${printable(message)}\n`;
  return fix === undefined ? line : `${line}        → ${printable(fix)}\n`;
}
