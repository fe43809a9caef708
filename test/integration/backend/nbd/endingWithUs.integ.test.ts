/** What a kill -9 of ours leaves of the servers that we started: nothing, at whatever moment of theirs it comes. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { endingWithUs } from '../../../../lib/linux/endingWithUs.js';
import { eventually } from '../../../helpers/eventually.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
/** The usual programs; a setpriv that cannot signal a death, as busybox's and old ones; none at all. */
const MACHINES = { usual: undefined, old: 'setpriv', bare: 'nothing' } as const;
let machine: keyof typeof MACHINES = 'usual';
function guarded(command: readonly string[], how: Parameters<typeof endingWithUs>[1]): string[] {
  const name = MACHINES[machine];
  return name === undefined
    ? endingWithUs(command, how)
    : endingWithUs(command, how, [`${folder.path}/${name}`]);
}

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await writeFile(`${folder.path}/setpriv`, '#!/bin/sh\necho "setpriv: unrecognized option" >&2; exit 1\n');
  await chmod(`${folder.path}/setpriv`, 0o755);
});
afterEach(() => folder.remove());

/** Every process that has the test's folder in its command line. */
async function left(): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid,stat,args', '-ww']);
  return stdout
    .split('\n')
    .filter((line) => line.includes(folder.path) && !/^ *\d+ Z/.test(line) && !line.includes(' ps -eo'));
}

/** A process as ours is: it starts the program behind the guard, and waits. */
async function starter(
  program: string,
  how: Parameters<typeof endingWithUs>[1],
): Promise<{ child: ChildProcess; said: () => string }> {
  // The guard asks for the number of the process that starts it, which is not this one.
  const guard = guarded(['/bin/sh', '-c', program, folder.path], how);
  const command = JSON.stringify(guard.map((word) => (word === String(process.pid) ? '<pid>' : word)));
  const script = `
    const [file, ...args] = ${command}.map((word) => word === '<pid>' ? String(process.pid) : word);
    require('node:child_process').spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] })
      .on('exit', (code) => console.log('exit ' + code));
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['-e', script, folder.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await eventually(() => expect(text).toContain('ready\n'));
  return { child, said: () => text };
}

const DEAF = 'trap "" TERM; echo ready; while :; do sleep 0.05; done';
const HEARS_THE_SECOND = `n=0; trap 'n=$((n + 1)); [ $n -lt 2 ] || { echo heard >"$0/heard"; exit; }' TERM
  echo ready; while :; do sleep 0.05; done`;

describe.each(Object.keys(MACHINES) as (keyof typeof MACHINES)[])('with the %s setpriv', (name) => {
  beforeEach(() => {
    machine = name;
  });

  test('one that only reads is killed: there is no moment at which it does not hear', async () => {
    const { child } = await starter(DEAF, 'kill');
    expect((await left()).length).toBeGreaterThan(1);
    child.kill('SIGKILL');
    await eventually(async () => expect(await left()).toEqual([]));
  });

  test('one that hears is asked to end', async () => {
    const { child } = await starter(`${HEARS_THE_SECOND.replace('-lt 2', '-lt 1')}`, 'ask');
    child.kill('SIGKILL');
    await eventually(async () => expect(await left()).toEqual([]));
    expect(await readFile(`${folder.path}/heard`, 'utf8')).toBe('heard\n');
  });

  test('one that writes is asked to end until it has heard', async () => {
    const { child } = await starter(HEARS_THE_SECOND, 'insist');
    child.kill('SIGKILL');
    await eventually(async () => expect(await left()).toEqual([]));
    expect(await readFile(`${folder.path}/heard`, 'utf8')).toBe('heard\n');
  });

  test('one that ends by itself leaves no watcher, and its exit code is its own', async () => {
    const { child, said } = await starter('echo ready; exit 7', 'insist');
    await eventually(() => expect(said()).toBe('ready\nexit 7\n'));
    child.kill('SIGKILL');
    await eventually(async () => expect(await left()).toEqual([]));
  });

  test('one whose starter is gone already does not begin', async () => {
    for (const how of ['kill', 'ask', 'insist'] as const) {
      const [file = '', ...args] = guarded(['touch', `${folder.path}/begun`], how).map((word) =>
        word === String(process.pid) ? '1' : word,
      );
      await promisify(execFile)(file, args).catch(() => undefined);
    }
    await expect(readFile(`${folder.path}/begun`)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
