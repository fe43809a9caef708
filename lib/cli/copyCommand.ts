/** Declares `copy`. */
import type { Command } from 'commander';
import type { CliContext } from './context.js';

export function addCopy(program: Command, context: CliContext): void {
  const { io } = context;
  program
    .command('copy')
    .description('copy a backup folder to a second place, or what that lacks by now')
    .argument('<folder>', 'the backup folder')
    .argument('<to>', 'the second place: empty, or a copy of this folder; made when it is not there')
    .option('--all', 'runs too that are older than the newest one there: what was pruned there comes back')
    .option('--rate <bytes>', 'read at most so many bytes a second (K, M, G suffixes)')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
What manifests list is copied, and every byte compared with the sums of its run where it arrived; a run is there when all of it
is. Ended at any moment, even killed, the same command goes on. Backups into the folder go on meanwhile; a prune of it waits.
The second place may be pruned by rules of its own (without --vm or images: points in time on the disks are the first one's).

Exit code 0 only when nothing was damaged, and no disk is missing there.

Examples:
  qemu-cbt copy /backups/web /offsite/web
  qemu-cbt copy /backups/web /mnt/usb/web --rate 50M --json`,
    )
    .action(async (folder, to, flags) => {
      context.result.exitCode = await (await import('./commands/copy.js')).copyCommand(io, folder, to, flags);
    });
}
