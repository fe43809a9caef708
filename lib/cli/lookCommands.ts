/** Declares the commands that show what a backup folder holds: `serve-nbd` and `mount`. */
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
Each disk is an export with its name in the folder's files. No prune changes the folder meanwhile; backups go on. The socket is
for this user alone. Data is not compared with its sums, as clients read here and there: \`qemu-cbt verify\` does.

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
everything that was made is gone again: unmount what you mounted before. No prune changes the folder meanwhile; backups go on.

Examples:
  qemu-cbt mount /backups/web /mnt/web                            in one terminal; then in another:
  mount -o ro,loop,offset=1048576,noload /mnt/web/vda.raw /mnt
  cp -a /mnt/etc/fstab .`,
    )
    .action(async (folder, dir, flags) =>
      (await import('./commands/lookInto.js')).mountRun(io, folder, dir, flags),
    );
}

function look(command: Command, description: string): Command {
  return command
    .description(description)
    .argument('<folder>', 'the backup folder')
    .option('--pit <uuid>', 'point in time of the run, or its number (default: the newest)')
    .option('--disk <name>', 'one disk (default: all of the run)')
    .option('--json', 'print one JSON object when it is ready');
}
