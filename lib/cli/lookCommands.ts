/** Declares the commands that show what a backup folder holds: `serve-nbd`, `mount`, `boot-test` and `report`. */
import { type Command, Option } from 'commander';
import type { CliContext } from './context.js';

export function addLookInto(program: Command, context: CliContext): void {
  const { io } = context;
  look(program.command('serve-nbd'), 'serve the disks of a run to NBD clients, read-only, until it is ended')
    .addOption(
      new Option('--socket <path>', 'unix socket to serve on (default: one in a new folder)').conflicts(
        'listen',
      ),
    )
    .option(
      '--listen <address>',
      'serve on TCP instead: an address of this machine alone, such as 127.0.0.1:10809',
    )
    .addHelpText(
      'after',
      `
Each disk is an export with its name in the folder's files. No prune changes the folder meanwhile, if it can
be locked (else a warning says so); backups go on. The socket is
for this user alone; with --listen every user and program of this machine can read every disk. --socket wants a name that is free, or
a dead socket's. Data is not compared with its sums, as clients read here and there: \`qemu-cbt verify\` does.

Examples:
  qemu-cbt serve-nbd /backups/web --socket /run/web.sock
  qemu-cbt serve-nbd /backups/web --pit 12 --disk vda --listen 127.0.0.1:10809
  nbdcopy 'nbd+unix:///vda?socket=/run/web.sock' vda.raw               a client`,
    )
    .action(async (folder, flags) => (await import('./commands/lookInto.js')).serveNbd(io, folder, flags));

  look(program.command('mount'), 'show the disks of a run as raw files, read-only, until it is ended')
    .argument('<dir>', 'a folder for the files; made when it is not there')
    .addHelpText(
      'after',
      `
Each disk is a file in <dir> (FUSE, by qemu-storage-daemon), in which its partitions are told, with the line that mounts each. Ended,
everything that was made is gone again: unmount what you mounted before. No prune changes the folder meanwhile, if it can
be locked (else a warning says so); backups go on.

Examples:
  qemu-cbt mount /backups/web /mnt/web                            in one terminal; then in another:
  mount -o ro,nosuid,nodev,noexec,loop,offset=1048576,noload /mnt/web/vda.raw /mnt
  cp -a /mnt/etc/fstab .`,
    )
    .action(async (folder, dir, flags) =>
      (await import('./commands/lookInto.js')).mountRun(io, folder, dir, flags),
    );

  look(program.command('boot-test'), 'does what was backed up come up? Starts it on throw-away overlays')
    .option('--wait <time>', 'how long it has to show a sign of life', '3m')
    .option('--memory <bytes>', 'memory of the machine', '1G')
    .addOption(
      new Option('--bus <bus>', 'what its disks are on').choices(['virtio', 'sata']).default('virtio'),
    )
    .option('--firmware <file>', 'UEFI firmware, such as /usr/share/OVMF/OVMF_CODE.fd (default: BIOS)')
    .option(
      '--scratch <folder>',
      'where it keeps what the machine writes (default: the folder for temporary files)',
    )
    .option('--screenshot <file>', 'write its last screen there, as a PNG')
    .addHelpText(
      'after',
      `
The machine has no network card, and nothing of it is left. It has passed where the guest agent answers, or where its screen goes on
changing: that shows that something was booted, not that all is well in it. The machine is a QEMU as this user, in QEMU's sandbox where
it was built with one: run it as a user that may read the backups and no more, if what is
in them is not trusted. What it writes is bounded by nothing but the room in --scratch: name a file system of its own. Exit code 6 where it did not come up in time.

Examples:
  qemu-cbt boot-test /backups/web --screenshot web.png
  qemu-cbt boot-test /backups/win --pit 12 --bus sata --memory 4G --wait 10m --firmware /usr/share/OVMF/OVMF_CODE.fd`,
    )
    .action(async (folder, flags) => {
      context.result.exitCode = await (await import('./commands/bootTest.js')).bootTestCommand(
        io,
        folder,
        flags,
      );
    });

  program
    .command('report')
    .description(
      'write a page about a backup folder: its disks, runs, sizes, reasons, and where the disks changed',
    )
    .argument('<folder>', 'the backup folder')
    .requiredOption(
      '--html <file>',
      'the page: one file without scripts that loads nothing, made to be mailed; - for standard output',
    )
    .option('--last <n>', 'how many runs are shown', '30')
    .option('--json', 'print one JSON object when it is written')
    .addHelpText(
      'after',
      `
Examples:
  qemu-cbt report /backups/web --html web.html
  qemu-cbt report /backups/web --html - | mail -a 'Content-Type: text/html' -s 'Backups of web' admin`,
    )
    .action(async (folder, flags) => (await import('./commands/report.js')).reportCommand(io, folder, flags));
}

function look(command: Command, description: string): Command {
  return command
    .description(description)
    .argument('<folder>', 'the backup folder')
    .option('--pit <uuid>', 'point in time of the run, or its number (default: the newest)')
    .option('--disk <name>', 'one disk (default: all of the run)')
    .option('--json', 'print one JSON object when it is ready');
}
