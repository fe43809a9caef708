/**
 * What the documents say exists: every code and reason in the error index with its true exit code, every command and option
 * printed for readers to type, every file that a link names, the figures of the last bench.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exitCodeOf } from '../../../lib/cli/exitCode.js';
import { buildProgram } from '../../../lib/cli/program.js';
import { CODES, REASONS, recoveryOf } from '../../../lib/core/errorCodes.js';
import { CbtError, type CbtErrorCode } from '../../../lib/core/errors.js';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const index = read('docs/errors.md');

describe('docs/errors.md', () => {
  test('has every code, with its exit code', () => {
    const rows = [...index.matchAll(/^\| `(ERR_CBT_[A-Z_]+)` .* \| (\d+) \|$/gm)];
    expect(rows.map(([, code]) => code).sort()).toEqual([...CODES].sort());
    for (const [, code, exit] of rows)
      expect([code, exitCodeOf(new CbtError(code as CbtErrorCode, ''))]).toEqual([code, Number(exit)]);
  });

  test('has every reason', () => {
    const rows = [...index.matchAll(/^\| `([A-Z_]+)` /gm)].map(([, name]) => name!);
    expect(rows.filter((name) => !name.startsWith('ERR_')).sort()).toEqual([...REASONS].sort());
    expect(REASONS).toHaveLength(12);
  });

  test('says of every code, with every reason, what to do about it', () => {
    const [, section = ''] = /^## What to do$(.*?)^## /ms.exec(index) ?? [];
    const rows = [...section.matchAll(/^\| `(ERR_CBT_[A-Z_]+)` \| (.*) \|$/gm)].map(
      ([, code = '', cells = '']) =>
        [code as CbtErrorCode, cells.split(' | ').map((cell) => cell.replaceAll('`', ''))] as const,
    );
    expect(rows.map(([code]) => code).sort()).toEqual([...CODES].sort());
    for (const [code, [plain, busy, overlay, other, ...rest]] of rows) {
      expect(rest).toEqual([]);
      expect([code, recoveryOf(code)]).toEqual([code, plain]);
      for (const reason of REASONS) {
        const told = { BUSY: busy, OVERLAY: overlay }[reason as string] ?? other;
        expect([code, reason, recoveryOf(code, reason)]).toEqual([code, reason, told]);
      }
    }
  });
});

const documents = ['README.md', 'CONTRIBUTING.md', 'bench/README.md'].concat(
  readdirSync(new URL('../../../docs', import.meta.url))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
);

/** What is wrong with the commands printed in a text: those that do not exist, and options that they do not have. */
function wrongCommands(text: string): string[] {
  const io = { stdout: process.stdout, stderr: process.stderr, env: {}, signal: AbortSignal.timeout(60_000) };
  const program = buildProgram({ io, result: { exitCode: 0 } }, '0');
  const known = new Map(
    program.commands.map((command) => [command.name(), command.options.map(({ long }) => long)]),
  );
  // Of the library's own making, and not among them.
  known.set('help', []);
  const printed = [
    ...[...text.matchAll(/^ {4}qemu-cbt (.*)$/gm)].map(([, line = '']) => line.replace(/ #.*$/, '')),
    ...[...text.matchAll(/`qemu-cbt ([^`\n]*)`/g)].map(([, line = '']) => line),
    // `doctor --fix` and its like, where the program's name is left out.
    ...[...text.matchAll(/`([a-z]+ --[^`\n]*)`/g)].flatMap(([, line = '']) =>
      known.has(line.split(' ')[0] ?? '') ? [line] : [],
    ),
  ];
  return printed.flatMap((line) => {
    const names = (line.split(/ /)[0] ?? '').split('|');
    if (names.every((name) => name.startsWith('<') || name.startsWith('-'))) return [];
    const options = names.map((name) => known.get(name));
    if (options.includes(undefined)) return [`qemu-cbt ${line}: no such command`];
    return [...line.matchAll(/(?<=[ [])--[a-z-]+/g)]
      .filter(([option]) => option !== '--help' && !options.some((of) => of?.includes(option)))
      .map(([option]) => `qemu-cbt ${line}: no option ${option}`);
  });
}

describe.each(documents)('%s', (path) => {
  const text = read(path);

  test('prints only commands and options that there are', () => {
    expect(wrongCommands(text)).toEqual([]);
  });

  test('links only to files that there are', () => {
    const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, to = '']) => to);
    const files = links.filter((to) => !/^[a-z]+:/.test(to));
    const root = new URL('../../../', import.meta.url).pathname;
    expect(files.filter((to) => !existsSync(join(root, dirname(path), to)))).toEqual([]);
  });
});

test('the figures in docs/comparison.md are those that the bench has kept', () => {
  const script = new URL('../../../scripts/make-comparison.mjs', import.meta.url).pathname;
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('a command or an option that does not exist would be seen', () => {
  expect(
    wrongCommands('    qemu-cbt explode disk\n    qemu-cbt pits disk --loud   # x\n`begin --nope`'),
  ).toHaveLength(3);
});
