/** The README's program for vSphere, as its reader has it, against the demo as he starts it. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

const run = promisify(execFile);
const at = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

test('ten lines of pyVmomi, and nothing of ours in them, ask what changed', async () => {
  const [, program = ''] = /```python\n(.*?)```/s.exec(await readFile(at('README.md'), 'utf8')) ?? [];
  expect(program.trim().split('\n').length).toBeLessThan(15);
  expect(program).not.toMatch(/qemu|cbt/i);
  const demo = spawn(process.execPath, [
    at('bin/qemu-cbt.js'),
    'serve',
    '--demo',
    '--listen',
    '127.0.0.1:0',
    '--json',
  ]);
  const ended = once(demo, 'exit');
  onTestFinished(async () => {
    demo.kill('SIGTERM');
    await ended;
  });
  const [line] = (await once(createInterface({ input: demo.stdout }), 'line')) as [string];
  const { url, user, password } = JSON.parse(line) as { url: string; user: string; password: string };
  const { hostname, port } = new URL(url);
  const ask = async (): Promise<string> =>
    (await run('/usr/bin/python3', ['-c', program, hostname, port, user, password])).stdout.trim();
  const [first, second] = [await ask(), await ask()];
  const told = /^(([0-9a-f]{2}[ -]){15}[0-9a-f]{2})\/(\d+) (\d+)$/;
  expect([first, second]).toEqual([expect.stringMatching(told), expect.stringMatching(told)]);
  // One history, the second point behind the first, and disks that hold something.
  const [one, other] = [told.exec(first)!, told.exec(second)!];
  expect(other[1]).toBe(one[1]);
  expect(Number(other[3])).toBeGreaterThan(Number(one[3]));
  expect(Number(one[4])).toBeGreaterThanOrEqual(65_536);
  demo.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
}, 180_000);
