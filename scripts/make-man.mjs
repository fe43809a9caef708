// man/qemu-cbt.1 from the declared commands, so that the manual and --help say the same.
//   node scripts/make-man.mjs            writes it
//   node scripts/make-man.mjs --check    fails where it is not what would be written, or mandoc warns of it
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const { ENVIRONMENT, EXIT_STATUS, FILES } = await import('../dist/cli/manual.js');
const { buildProgram } = await import('../dist/cli/program.js');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const file = join(root, 'man/qemu-cbt.1');

/** Text as troff takes it: no escape, no hyphenated option, no line that is taken for a request. */
const plain = (text) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', '\\(cq')
    .replaceAll('…', '...')
    .replaceAll('·', '\\(bu')
    .replace(/^([.'])/gm, '\\&$1');

const stream = { write: () => true, columns: 100 };
const program = buildProgram(
  { io: { stdout: stream, stderr: stream, env: {} }, result: { exitCode: 0 } },
  version,
);

/** What `--help` prints after the lists of a command. */
function after(command) {
  let text = '';
  command.emit('afterHelp', { error: false, command, write: (more) => (text += more) });
  return text.trim();
}

/** Paragraphs as filled text; what is indented, and what follows "Examples:", as it stands. */
function body(text) {
  return text
    .split(/\n\n+/)
    .filter(Boolean)
    .map((part) => {
      const lines = part.split('\n');
      const at = lines.findIndex((line) => line.startsWith('  '));
      const head = at < 0 ? lines : lines.slice(0, at);
      const shown = at < 0 ? [] : lines.slice(at);
      return [
        '.PP',
        ...head.map(plain),
        ...(shown.length > 0
          ? ['.PP', '.nf', ...shown.map((l) => plain(l.replace(/^ {2}/, ''))), '.fi']
          : []),
      ].join('\n');
    })
    .join('\n');
}

function options(command) {
  return command.options.flatMap((option) => [
    '.TP',
    `\\fB${plain(option.flags)}\\fR`,
    plain(`${option.description}${option.argChoices ? ` (one of: ${option.argChoices.join(', ')})` : ''}`),
  ]);
}

function section(command) {
  const usage = command.registeredArguments.map((a) => {
    const name = a.variadic ? `${a.name()}...` : a.name();
    return a.required ? `<${name}>` : `[${name}]`;
  });
  return [
    `.SS "qemu\\-cbt ${plain([command.name(), '[options]', ...usage].join(' '))}"`,
    plain(command.description().replace(/^./, (c) => c.toUpperCase())).concat('.'),
    ...command.registeredArguments
      .filter((a) => a.description)
      .flatMap((a) => ['.TP', `\\fI${plain(a.name())}\\fR`, plain(a.description)]),
    ...options(command),
    body(after(command)),
  ].filter(Boolean);
}

/** Terms with what they mean. */
const list = (terms) => terms.flatMap(([term, meaning]) => ['.TP', `\\fB${plain(term)}\\fR`, plain(meaning)]);

const text = `${[
  `.\\" Made by scripts/make-man.mjs from the declared commands; changes here are lost.`,
  `.TH QEMU\\-CBT 1 "2026-11-23" "qemu\\-cbt ${version}" "User Commands"`,
  '.SH NAME',
  'qemu\\-cbt \\- changed\\-block tracking for KVM',
  '.SH SYNOPSIS',
  '\\fBqemu\\-cbt\\fR \\fIcommand\\fR [\\fIoptions\\fR]',
  '.SH DESCRIPTION',
  plain(program.description()),
  body(after(program)),
  '.SH OPTIONS',
  ...options(program),
  '.TP',
  '\\fB\\-h, \\-\\-help\\fR',
  'show help, also after every command',
  '.SH COMMANDS',
  ...program.commands.flatMap(section),
  '.SH EXIT STATUS',
  ...list(EXIT_STATUS),
  '.SH ENVIRONMENT',
  ...list(ENVIRONMENT),
  '.SH FILES',
  ...list(FILES),
].join('\n')}\n`;

if (process.argv.includes('--check')) {
  let kept = '';
  try {
    kept = readFileSync(file, 'utf8');
  } catch {}
  if (kept !== text) {
    console.error('man/qemu-cbt.1 is not what the commands say; run: node scripts/make-man.mjs');
    process.exitCode = 1;
  }
  const lint = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', file], { encoding: 'utf8' });
  if (lint.error) throw lint.error;
  if (lint.status !== 0) {
    console.error(lint.stdout);
    process.exitCode = 1;
  }
} else {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
