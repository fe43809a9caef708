/** Programs that open and close disks without end, and that are killed at random moments: nothing is left. `npm run torture -- programs` does more of both. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMMAND, compileProgram, runProgram } from '../../../helpers/compiledProgram.js';
import { eventually } from '../../../helpers/eventually.js';
import { seededRandom } from '../../../helpers/guestWriter.js';
import { qemuImg, qemuIo } from '../../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../helpers/temporaryFolder.js';

const ROUNDS = Number(process.env['PROGRAM_ROUNDS'] ?? 20);
const KILLS = Number(process.env['PROGRAM_KILLS'] ?? 4);
/** A program is killed before its first round is over, or after some. */
const MOST_ROUNDS = 3;
const MOST_MS = 400;

let work: TemporaryFolder;
let program: string;
let file: string;
beforeAll(async () => {
  work = await makeTemporaryFolder();
  program = await compileProgram('rounds', work.path, 'undefined');
  file = join(work.path, 'd.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, '64M');
});
afterAll(() => work.remove());

test(`${ROUNDS} rounds of open and close hold nothing more than the first ones`, async () => {
  expect(await runProgram(program, [file, String(ROUNDS)])).toBe('done\n');
});

/** Processes that were started with this in their environment, the command and its servers among them. */
function marked(mark: string): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/environ`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  });
}

test(`of a program that is killed at ${KILLS} random moments no process and no file is left, and its image is sound`, async () => {
  const random = seededRandom(Number(process.env['SEED'] ?? 1));
  const temporary = join(work.path, 'temporary');
  await mkdir(temporary);
  for (let n = 0; n < KILLS; n += 1) {
    const mark = `${work.path}/${n};`;
    const env = { ...process.env, QEMU_CBT_COMMAND: COMMAND, TMPDIR: temporary, MARK: mark };
    const client = spawn(program, [file, '0'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const left = once(client, 'exit');
    let rounds = random(MOST_ROUNDS);
    client.stdout.on('data', (lines: Buffer) => (rounds -= lines.toString().split('\n').length - 1));
    while (rounds > 0) await once(client.stdout, 'data');
    await sleep(random(MOST_MS));
    client.kill('SIGKILL');
    await left;
    await eventually(() => expect(marked(mark)).toEqual([]));
  }
  expect(await readdir(temporary)).toEqual([]);
  await qemuImg('check', '-q', file);
  await qemuIo([file], 'write 0 512');
});
