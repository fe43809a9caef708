/** Compiled programs on libprl_sdk whose command answers badly, or not at all; whose threads end what others use; under sanitizers. */
import { chmod } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileProgram, runProgram } from '../../../../helpers/compiledProgram.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const COMMAND = resolve(import.meta.dirname, 'clients/command.py');
/** Instead of a minute. */
const SILENCE_MS = 3000;
const SANITIZERS = ['address,undefined', 'thread'] as const;

let work: TemporaryFolder;
const programs = new Map<string, string>();
beforeAll(async () => {
  work = await makeTemporaryFolder();
  await chmod(COMMAND, 0o755);
  const settings = [`-DCBT_SILENCE_MS=${SILENCE_MS}`];
  for (const sanitizers of SANITIZERS)
    programs.set(sanitizers, await compileProgram('faults', work.path, sanitizers, settings, 'parallels'));
});
afterAll(() => work.remove());

const CASES = {
  silent: 'a command that says nothing is taken for gone',
  half: 'a command that stands still in the middle of an answer is taken for gone',
  halfBytes: 'and in the middle of the bytes of a read',
  dies: 'a command that dies is told by every call, and the library is begun anew',
  torn: 'what is no message ends the session',
  short: 'answers that lack what was asked for',
  kinds: 'answers of other kinds than was asked for',
  long: 'answers that are longer than there is room',
  endless: 'texts without an end',
  events: 'events of nobody, and the end of the library in the middle of one',
  threads: 'threads that call while the library ends',
};

test.each(
  Object.entries(CASES).flatMap(([what, says]) =>
    SANITIZERS.map((sanitizers) => [says, sanitizers, what] as const),
  ),
)('%s: %s', async (_, sanitizers, what) => {
  const program = programs.get(sanitizers) ?? '';
  expect(await runProgram(program, [what], { QEMU_CBT_COMMAND: COMMAND })).toBe('done\n');
});
