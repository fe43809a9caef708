/** Declares `qemu-cbt list`. */
import type { Command } from 'commander';
import type { CliContext } from './context.js';
import { addKeepFlags } from './keepFlags.js';

export function addList(program: Command, context: CliContext): void {
  const list = program
    .command('list')
    .description('list the runs of a backup folder')
    .argument('<folder>', 'the backup folder');
  addKeepFlags(list)
    .option(
      '--check <age>',
      'is the newest good run of each disk young enough (26h, 2d)? If not, the exit code is 6',
    )
    .option(
      '--disk <name...>',
      'with --check: the disks that have to be there (default: all that the folder has)',
    )
    .option('--vm <vm>', 'with --check: name or UUID of the VM, in a folder of several (default: all)')
    .option(
      '--strict',
      'with --check: a run that is full because the chain was lost, or a later run that failed, is not good',
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Reads manifests and names only, takes no lock, and may run beside a backup or a prune; whether every byte is sound says
\`qemu-cbt verify\`. With the options that a prune is given, each run is shown with the rules that keep it. Times are local; in
JSON they are UTC.

A run is good where its manifest can be believed and every file that it is read through is there with its size and header.

Examples:
  qemu-cbt list /backups/web
  qemu-cbt list /backups/web --keep-last 3 --keep-daily 7       which rule keeps which run
  qemu-cbt list /backups/web --check 26h --disk vda vdb || mail -s 'no backup' admin
  qemu-cbt list /backups/web --json | jq '.runs[-1].disks'`,
    )
    .action(async (folder, flags) => {
      context.result.exitCode = await (await import('./commands/list.js')).listCommand(
        context.io,
        folder,
        flags,
      );
    });
}
