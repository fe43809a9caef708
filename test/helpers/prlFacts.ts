/** What libprl_sdk answers to a small program, by the name of what was asked. */
import { fileURLToPath } from 'node:url';
import { freshBuild } from './builtCommand.js';
import { PRL_LIBRARY, runProgram } from './compiledProgram.js';
import { makeTemporaryFolder } from './temporaryFolder.js';

const PROGRAM = fileURLToPath(new URL('prlFacts.py', import.meta.url));

/** Of each fact its words: codes in hexadecimal, `True` or `False`. */
export async function prlFacts(): Promise<Record<string, string>> {
  await freshBuild();
  const folder = await makeTemporaryFolder();
  try {
    const text = await runProgram('/usr/bin/python3', [PROGRAM, PRL_LIBRARY], { QEMU_CBT_VMS: folder.path });
    const lines = text.trim().split('\n');
    return Object.fromEntries(lines.map((line) => [line.split(' ')[0], line.slice(line.indexOf(' ') + 1)]));
  } finally {
    await folder.remove();
  }
}
