/** Declares the commands about the machine: which VMs it has, and whether its host file is right. */
import { type Command, Option } from 'commander';
import { invalidArgument } from '../core/errors.js';
import type { CliContext } from './context.js';

export function addHost(program: Command, context: CliContext): void {
  const { io } = context;
  program
    .command('vms')
    .description('list the VMs of the host file: whether they run, their disks, tracking and last points')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
A VM is off where nobody listens on its socket, and then its images are asked; silent where that cannot be told.

Examples:
  qemu-cbt vms
  qemu-cbt vms --host ./host.yaml --json | jq '.vms[] | select(.state != "running")'`,
    )
    .action(async (flags) => (await import('./commands/vms.js')).vms(io, flags));

  program
    .command('host')
    .description('is the host file right, and can each of its VMs be reached?')
    .argument('<what>', 'check')
    .addOption(new Option('--json', 'print one JSON object'))
    .addHelpText(
      'after',
      `
Looks at each VM's socket, disks, images, scratch folder, NBD socket and guest agent; changes nothing.

Examples:
  qemu-cbt host check
  qemu-cbt host check --host ./host.yaml --json`,
    )
    .action(async (what, flags) => {
      const { hostCheck } = await import('./commands/host.js');
      if (what !== 'check') throw invalidArgument('what', what, 'check');
      context.result.exitCode = await hostCheck(io, flags);
    });

  program
    .command('run')
    .description('run jobs of the host file: back up, verify, prune, and say how it went')
    .argument('[job...]', 'names of jobs (default: all of them, in their order)')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
One VM that fails stops no other, and one job no other. The exit code is the worst; 6 where all is done, and a disk of a job with
\`strict\` had to be copied in full. What happened is also in last-run-<job>.json in the job's folder, and in its file of metrics.

Examples:
  qemu-cbt run
  qemu-cbt run nightly --json
  systemctl enable --now qemu-cbt-run@nightly.timer      every night`,
    )
    .action(async (jobs, flags) => {
      context.result.exitCode = await (await import('./commands/run.js')).runCommand(io, jobs, flags);
    });
}
