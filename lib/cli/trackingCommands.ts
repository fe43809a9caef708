/** Declares the commands that change points in time: on a running VM, or on images that no VM uses. */
import { type Command, Option } from 'commander';
import type { TrackingFlags } from './commands/tracking.js';
import type { CliContext } from './context.js';
import { formatOption, TRUST } from './formatOptions.js';

export function addTracking(program: Command, context: CliContext): void {
  const { io } = context;
  const tracking = (name: string, description: string, examples: string): Command => {
    const command = program
      .command(name)
      .description(description)
      .argument('[image...]', 'qcow2 images that no VM uses; several are handled at one instant')
      .option(
        '--vm <vm>',
        'a VM: its QMP socket, libvirt:<uri>#<domain>, or its name or UUID in the host file, instead of images',
      )
      .option('--disk <name...>', 'disks of the VM (default: all that can be tracked)')
      .addOption(formatOption(['qcow2']))
      .option(...TRUST)
      .option('--json', 'print one JSON object')
      .addHelpText('after', `\nExamples:\n${examples}`);
    return command.action(async (images: string[], flags: TrackingFlags) => {
      const { runTracking } = await import('./commands/tracking.js');
      context.result.exitCode = await runTracking(io, name, images, flags);
    });
  };

  tracking(
    'enable',
    'start tracking: the first point in time of a new epoch',
    '  qemu-cbt enable --vm /run/vm.qmp\n  qemu-cbt enable a.qcow2 b.qcow2 --json',
  )
    .option('--pit <uuid>', 'UUID of the point in time (default: drawn)')
    .option('--granularity <bytes>', 'bytes per bit (default: QEMU’s choice, 64 KiB as a rule)');
  tracking(
    'begin',
    'take a point in time, keep it readable, and say what a backup must copy',
    `  qemu-cbt begin --vm /run/vm.qmp --json
  qemu-cbt begin --vm /run/vm.qmp --disk drive0 --base <point> --quiesce --agent /run/vm.agent
  qemu-cbt begin disk.qcow2 --json

The session lives in QEMU until commit or rollback, whichever process calls them: read each disk from its export, and its
changes with \`qemu-cbt changes qmp:<socket>#<disk> --from <base> --session <id>\`.`,
  )
    .option('--pit <uuid>', 'UUID of the new point in time (default: drawn)')
    .option('--base <point>', 'the point an incremental backup starts from (default: the newest)')
    .addOption(new Option('--mode <mode>', 'how the instant stays readable').choices(['fleece', 'overlay']))
    .option('--quiesce', 'freeze the guest’s file systems for the instant (needs --agent)')
    .option('--agent <socket>', 'unix socket of the guest agent')
    .option(
      '--scratch <folder>',
      'where the session keeps what the guest overwrites (default: /tmp, or /var/tmp where that is memory or nearly full)',
    )
    .option('--scratch-limit <bytes>', 'most bytes it may keep there (default: 80 % of what is free)')
    .option(
      '--scratch-unwatched',
      'no guard watches that space, to roll the session back before it is full: a full one fails writes of the guest',
    )
    .option('--nbd-socket <path>', 'socket of an NBD server that this QEMU runs already');
  tracking(
    'commit',
    'end a session and keep its point in time',
    '  qemu-cbt commit --vm /run/vm.qmp --session <id>\n  qemu-cbt commit disk.qcow2 --session <id>',
  ).requiredOption('--session <id>', 'as `begin` printed it');
  tracking(
    'rollback',
    'end a session as if it had never begun',
    '  qemu-cbt rollback --vm /run/vm.qmp --session <id>\n  qemu-cbt rollback disk.qcow2 --session <id>',
  ).requiredOption('--session <id>', 'as `begin` printed it');
  tracking(
    'forget',
    'drop a point in time; all others answer as before',
    '  qemu-cbt forget <pit> --vm /run/vm.qmp\n  qemu-cbt forget disk.qcow2 --point <pit>',
  ).option('--point <point>', 'the point in time; with --vm it may stand alone instead');
  tracking(
    'reset',
    'start anew in a new epoch, whatever the state; no older point answers afterwards',
    '  qemu-cbt reset --vm /run/vm.qmp --disk drive0\n  qemu-cbt reset disk.qcow2',
  )
    .option('--pit <uuid>', 'UUID of the point in time (default: drawn)')
    .option('--granularity <bytes>', 'bytes per bit');
  tracking(
    'disable',
    'end tracking: every point in time of ours goes, bitmaps of others stay',
    '  qemu-cbt disable --vm /run/vm.qmp --disk drive0\n  qemu-cbt disable disk.qcow2',
  );
}
