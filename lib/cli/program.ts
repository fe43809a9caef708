/** The command line, declared once: commands, options, help with examples. Completion is made from the same tree. */
import { Command, Option } from 'commander';
import { addBackup } from './backupCommands.js';
import type { CliContext } from './context.js';
import { checkFlagValues } from './flagValues.js';
import { formatOption, TRUST } from './formatOptions.js';
import { addHost } from './hostCommands.js';
import { addLookInto } from './lookCommands.js';
import { EXIT_STATUS } from './manual.js';
import { addService } from './serviceCommands.js';
import { addTracking } from './trackingCommands.js';

const POINT_HELP = `
A <point> is a PIT's UUID (braces, dashes and case are free), a changeId, the exact name of a bitmap, checkpoint:<name> for one
of libvirt's, or * for "everything that holds data".`;

const EXIT_HELP = `
Exit codes: ${EXIT_STATUS.map(([code, meaning]) => `${code} ${meaning}`).join(' ·\n')}.`;

export function buildProgram(context: CliContext, version: string): Command {
  const { io } = context;
  const program = new Command('qemu-cbt')
    .description(
      'Changed-block tracking for KVM: points in time on QEMU disks, and what changed between them.',
    )
    .version(version, '-V, --version', 'print the version')
    .option(
      '--host <file>',
      'the host file, which names VMs (default: QEMU_CBT_HOST, else /etc/qemu-cbt/host.yaml)',
    )
    .hook('preAction', () => {
      io.hostFile = program.opts()['host'];
    })
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showHelpAfterError('(qemu-cbt --help shows how)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => Math.min(io.stdout.columns ?? 100, 110),
      getErrHelpWidth: () => Math.min(io.stderr.columns ?? 100, 110),
    })
    .addHelpText(
      'after',
      `${POINT_HELP}
${EXIT_HELP}

Examples:
  qemu-cbt enable disk.qcow2                        start tracking an image that no VM uses
  qemu-cbt pits disk.qcow2                          list its points in time
  qemu-cbt pits qmp:/run/vm.qmp#drive0              the same of a disk of a running VM
  qemu-cbt pits libvirt:#web#vda                    the same of a libvirt domain, running or off
  qemu-cbt pits web#drive0                          the same of a VM of the host file
  qemu-cbt changes disk.qcow2 --from <pit> --json   what changed since then
  qemu-cbt map disk.qcow2 --from <pit>              the same as a picture
  qemu-cbt doctor disk.qcow2                        is everything in order?`,
    );

  program.hook('preAction', (_, command) => {
    context.command = command;
    checkFlagValues(command);
  });

  reading(program.command('pits'), 'list the points in time of a disk')
    .argument('<disk>', DISK)
    .option('--from <folder>', 'a backup folder of the disk: say when each point was taken, and in which run')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  qemu-cbt pits disk.qcow2\n  qemu-cbt pits web#vda --from /backups/web\n  qemu-cbt pits /vms/web.hdd --json | jq .pits',
    )
    .action(async (disk, flags) => (await import('./commands/pits.js')).pits(io, disk, flags));

  reading(program.command('changes'), 'what changed between two points in time')
    .argument('<disk>', DISK)
    .requiredOption('--from <point>', 'the earlier point, or * for all that holds data')
    .option('--to <point>', 'the later point (default: the disk as it is now)')
    .option('--start <bytes>', 'first byte asked about (K, M, G, T suffixes)')
    .option('--max <areas>', 'at most this many areas')
    .option('--json', 'print one JSON object')
    .option('--jsonl', 'print one JSON object an area')
    .option('--kinds', 'say of each area whether it reads as zeros; up to now, or to a session')
    .option('--bits <file>', 'write the map as bits, least significant first')
    .option('--granularity <bytes>', 'bytes per bit of --bits (default: that of the map)')
    .addHelpText(
      'after',
      `${POINT_HELP}

Areas are in bytes, ascending, disjoint and merged. Where anything is in doubt the command fails; it never prints a
shorter list.

Examples:
  qemu-cbt changes disk.qcow2 --from 8c2f…            areas as columns
  qemu-cbt changes disk.qcow2 --from A --to B --json  between two points
  qemu-cbt changes disk.qcow2 --from '*' --jsonl      what holds data, streaming
  qemu-cbt changes disk.qcow2 --from A --bits a.bits --granularity 64K`,
    )
    .action(async (disk, flags) => (await import('./commands/changes.js')).changes(io, disk, flags));

  reading(program.command('map'), 'draw where a disk changed')
    .argument('<disk>', DISK)
    .option('--from <point>', 'the earlier point, or * for all that holds data; --html does without')
    .option('--to <point>', 'the later point (default: the disk as it is now)')
    .addOption(
      new Option('--svg <file>', 'write an SVG file instead of drawing in the terminal').conflicts('html'),
    )
    .option(
      '--html <file>',
      'write a page with a timeline over all points in time (or those from --from to --to)',
    )
    .addHelpText(
      'after',
      `
The page is one file that loads nothing: zoom, move, and point at a place to learn its offset. An interval that cannot be
answered is shown with its reason.

Examples:
  qemu-cbt map disk.qcow2 --from A
  qemu-cbt map disk.qcow2 --from A --to B --svg changes.svg
  qemu-cbt map disk.qcow2 --html changes.html`,
    )
    .action(async (disk, flags) => (await import('./commands/map.js')).map(io, disk, flags));

  reading(
    program.command('doctor'),
    'what is wrong with a disk’s tracking, and what to do',
    'a folder that sessions were given for their files, to be looked through too',
  )
    .argument(
      '[disk...]',
      'images, folders of images, backup folders, VMs (qmp:<socket>, libvirt:<uri>#<domain>, or a name of the host file) or their disks, libvirt:<uri> for all of its domains; none: only this machine',
    )
    .option('--fix', 'mend what is safe to mend, then look again (without: only look)')
    .option('--system', 'what this machine has of what is needed, and the command that mends each lack')
    .option('--from <folder>', 'a backup folder: are the points that its runs expect still on the disks?')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `\nReads only, unless --fix is given.\n${EXIT_HELP}\n\nExamples:\n  qemu-cbt doctor --system\n  qemu-cbt doctor\n  qemu-cbt doctor /backups/web\n  qemu-cbt doctor web --from /backups/web\n  qemu-cbt doctor qmp:/run/vm.qmp\n  qemu-cbt doctor libvirt:#web\n  qemu-cbt doctor libvirt:\n  qemu-cbt doctor /var/lib/libvirt/images --json\n  qemu-cbt doctor /var/lib/libvirt/images --fix`,
    )
    .action(async (disks, flags) => {
      context.result.exitCode = await (await import('./commands/doctor.js')).doctor(io, disks, flags);
    });

  addTracking(program, context);
  addBackup(program, context);
  addLookInto(program, context);
  addHost(program, context);
  addService(program, context);

  program
    .command('completion')
    .description('print a shell completion script')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      '\nExamples:\n  qemu-cbt completion bash > /etc/bash_completion.d/qemu-cbt\n  source <(qemu-cbt completion zsh)',
    )
    .action(async (shell) => (await import('./commands/completion.js')).completion(io, program, shell));

  for (const command of program.commands)
    command.exitOverride().helpOption('-h, --help', 'show help for this command');
  return program;
}

const DISK =
  'a qcow2 or raw image, a Parallels .hds file or .hdd folder, qmp:<socket>#<disk> of a running QEMU, libvirt:<uri>#<domain>#<disk>, or <vm>#<disk> of the host file';

function reading(
  command: Command,
  description: string,
  scratch = 'live: folder for the socket of a question, which QEMU must see too (default: that for temporary files)',
): Command {
  return command
    .description(description)
    .addOption(formatOption())
    .option(...TRUST)
    .addOption(
      new Option('--kernel <kernel>', 'which code does the bulk work')
        .choices(['auto', 'native', 'script'])
        .default('auto'),
    )
    .option('--nbd-socket <path>', 'live: socket of an NBD server that this QEMU runs already')
    .option('--scratch <folder>', scratch)
    .option('--session <id>', 'live: as the disk was at the instant of this session')
    .option('--verbose', 'say which kernel runs');
}
