/**
 * What may become of a program of QEMU's that we start, for atEveryStep: each is started through a script that fails instead of the
 * n-th of them; and what may become of one at work, which is killed at the n-th call of a port.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Faults, failing } from './atEveryStep.js';
import { descendants, hasOpenIn } from './processes.js';

/** It says no · it is killed before it does anything · it does all that it is to do, and is killed before it says so. */
export const PROGRAM_FAULTS = ['refused', 'killed', 'unheard'] as const;
export type ProgramFault = (typeof PROGRAM_FAULTS)[number];

const PROGRAMS = {
  QEMU_IMG: 'qemu-img',
  QEMU_NBD: 'qemu-nbd',
  QEMU_STORAGE_DAEMON: 'qemu-storage-daemon',
} as const;

const FAULT: Record<ProgramFault, string> = {
  refused: 'echo "$0: refused by the test" >&2; exit 1',
  killed: 'kill -9 $$',
  unheard: '"$real" "$@"; kill -9 $$',
};

export function programFaults(kind: ProgramFault): Faults {
  return (n) => {
    const folder = mkdtempSync(join(tmpdir(), 'cbt-programs-'));
    const log = join(folder, 'started');
    writeFileSync(log, '');
    const before = Object.keys(PROGRAMS).map((variable) => [variable, process.env[variable]] as const);
    for (const [variable, name] of Object.entries(PROGRAMS)) {
      // The socket of a qemu-nbd is for its own process number: it cannot be started below a script.
      if (kind === 'unheard' && variable === 'QEMU_NBD') continue;
      const script = join(folder, name);
      const real = process.env[variable] ?? name;
      const lines = [
        '#!/bin/sh',
        `real='${real}'`,
        `echo "${name} $1" >>'${log}'`,
        `[ "$(wc -l <'${log}')" -ne ${n} ] || { ${FAULT[kind]}; }`,
        'exec "$real" "$@"',
      ];
      writeFileSync(script, `${lines.join('\n')}\n`);
      chmodSync(script, 0o755);
      process.env[variable] = script;
    }
    const started = (): string[] => readFileSync(log, 'utf8').split('\n').slice(0, -1);
    return {
      what: () => started()[n - 1],
      end: () => {
        for (const [variable, value] of before)
          if (value === undefined) delete process.env[variable];
          else process.env[variable] = value;
        const calls = started().length;
        rmSync(folder, { recursive: true });
        return calls;
      },
    };
  };
}

/** What we have at work on that file, or on files of that folder, is killed, before the n-th call of these methods. */
export function killedAtWork(place: string, port: object, methods: readonly string[]): Faults {
  return failing(port, methods, 'before', () => {
    for (const { pid } of descendants(process.pid)) if (hasOpenIn(pid, place)) process.kill(pid, 'SIGKILL');
  });
}
