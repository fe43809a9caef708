/** The shell in front changes nothing of the command, and nothing that the user has set. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { keepingMemory } from '../../../../lib/backend/nbd/keptMemory.js';

const SHOW =
  'console.log(JSON.stringify([process.argv.slice(1), process.env.MALLOC_TOP_PAD_, process.ppid]))';

function run(args: string[], env: Record<string, string> = {}) {
  const [program = '', ...rest] = keepingMemory([process.execPath, '-e', SHOW, '--', ...args]);
  return JSON.parse(execFileSync(program, rest, { encoding: 'utf8', env: { ...process.env, ...env } }));
}

test('arguments arrive as they are, in a process that took the place of the shell', () => {
  const odd = ['$HOME', '"quoted" \'twice\'', '`id`', 'a\nb', '', 'json:{"a":"b c"}', 'A=b'];
  expect(run(odd)).toEqual([odd, String(32 << 20), process.pid]);
});

test("the user's own setting stays", () => {
  expect(run([], { MALLOC_TOP_PAD_: '0' })[1]).toBe('0');
});
