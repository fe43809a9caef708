/** Shell completion scripts, made from the declared commands so that they cannot drift from them. */
import type { Command } from 'commander';
import { invalidArgument } from '../../core/errors.js';
import { type CliIo, write } from '../io.js';

interface CompletionEntry {
  name: string;
  description: string;
  options: { flag: string; description: string; takesValue: boolean }[];
}

export async function completion(io: CliIo, program: Command, shell: string): Promise<void> {
  const makers: Record<string, (entries: CompletionEntry[]) => string> = { bash, zsh, fish };
  const make = makers[shell];
  if (make === undefined) throw invalidArgument('shell', shell, 'bash, zsh or fish');
  await write(io.stdout, make(program.commands.map(toEntry)));
}

function toEntry(command: Command): CompletionEntry {
  const options = command.options.map((option) => ({
    flag: option.long ?? option.flags,
    description: option.description,
    takesValue: option.required || option.optional,
  }));
  return {
    name: command.name(),
    description: command.description(),
    options: [...options, { flag: '--help', description: 'show help', takesValue: false }],
  };
}

function bash(entries: CompletionEntry[]): string {
  const cases = entries
    .map((e) => `    ${e.name}) flags='${e.options.map((o) => o.flag).join(' ')}' ;;`)
    .join('\n');
  return `# bash completion for qemu-cbt
_qemu_cbt() {
  local current="\${COMP_WORDS[COMP_CWORD]}" flags=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${entries.map((e) => e.name).join(' ')}' -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) compopt -o filenames; COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -F _qemu_cbt qemu-cbt
`;
}

function zsh(entries: CompletionEntry[]): string {
  const quote = (text: string): string => text.replace(/'/g, '’').replace(/[[\]:]/g, ' ');
  const commands = entries.map((e) => `    '${e.name}:${quote(e.description)}'`).join('\n');
  const cases = entries
    .map((e) => {
      const specs = e.options.map(
        (o) => `'${o.flag}[${quote(o.description)}]${o.takesValue ? ':value:_files' : ''}'`,
      );
      return `    ${e.name}) _arguments ${specs.join(' ')} '*:file:_files' ;;`;
    })
    .join('\n');
  return `#compdef qemu-cbt
_qemu_cbt() {
  local -a commands=(
${commands}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local command="$words[2]"
  shift words; (( CURRENT-- ))
  case "$command" in
${cases}
  esac
}
if [ "$funcstack[1]" = "_qemu_cbt" ]; then _qemu_cbt "$@"; else compdef _qemu_cbt qemu-cbt; fi
`;
}

function fish(entries: CompletionEntry[]): string {
  const quote = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const lines = entries.flatMap((e) => [
    `complete -c qemu-cbt -n __fish_use_subcommand -a ${e.name} -d ${quote(e.description)}`,
    ...e.options.map(
      (o) =>
        `complete -c qemu-cbt -n '__fish_seen_subcommand_from ${e.name}' -l ${o.flag.slice(2)} -d ${quote(o.description)}${o.takesValue ? ' -r' : ''}`,
    ),
  ]);
  return `# fish completion for qemu-cbt\n${lines.join('\n')}\n`;
}
