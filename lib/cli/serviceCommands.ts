/** Declares the commands about the service: running it, and who may log in to it. */
import { type Command, Option } from 'commander';
import { invalidArgument } from '../core/errors.js';
import type { CliContext } from './context.js';

export function addService(program: Command, context: CliContext): void {
  const { io } = context;
  program
    .command('serve')
    .description('serve the VMs of the host file to programs written for vSphere, over HTTPS')
    .addOption(
      new Option(
        '--stdio',
        'serve one program over standard input and output: a library for compiled programs starts this',
      ).conflicts(['json', 'demo']),
    )
    .option('--demo', 'serve two small VMs that are made for it, in place of those of a host file')
    .option(
      '--listen <address>',
      'of --demo: host and port, 127.0.0.1:8443 unless given; port 0 is any free one',
    )
    .option('--faults <file>', 'of --demo: what goes wrong, and at which calls (docs/simulator.md)')
    .option('--json', 'print one JSON object when it is ready: where it is, and its thumbprint')
    .addHelpText(
      'after',
      `
Runs in the foreground until SIGTERM or SIGINT; SIGHUP reads the host file and the users again. Standard error has a line for
each thing that happened. What it listens on stands in the host file, under wires:
  wires:
    vim:
      address: 127.0.0.1:8443
      users: /etc/qemu-cbt/users.json
    metrics:
      address: 127.0.0.1:9177

Examples:
  qemu-cbt user add backup --role backup --users /etc/qemu-cbt/users.json
  qemu-cbt serve --host /etc/qemu-cbt/host.yaml
  qemu-cbt serve --demo`,
    )
    .action(async (flags) =>
      (await import('./commands/serve.js')).serve(io, flags, program.version() ?? 'unknown'),
    );

  program
    .command('libdir')
    .description('print the folder with the libraries for compiled programs')
    .addHelpText(
      'after',
      `
The folder is what such programs ask for as their libdir: below it are lib64/libvixDiskLib.so.8, which is loaded in place of VDDK's,
lib64/libprl_sdk.so, in place of Virtuozzo's, and include/vixDiskLib.h and prlSdk.h. Exit code 5 where they were not built for this machine.

Examples:
  nbdkit vddk libdir=$(qemu-cbt libdir) file=/vms/disk.qcow2
  LD_LIBRARY_PATH=$(qemu-cbt libdir)/lib64 ./backup-program`,
    )
    .action(async () => (await import('./commands/libdir.js')).libdir(io));

  program
    .command('user')
    .description('who may log in to the service, and what each may do')
    .argument('<what>', 'add (or change), remove, or list')
    .argument('[name]', 'of the user')
    .addOption(
      new Option('--role <role>', 'read: look; backup: track, snapshots, changes; admin: all').choices([
        'read',
        'backup',
        'admin',
      ]),
    )
    .option('--vm <name...>', 'only these VMs (default: all)')
    .option('--users <file>', 'the file of users (default: that of wires.vim in the host file)')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
The password is the first line of standard input; at a terminal it is asked for. The file keeps no password, only what tells whether one
is right, and nobody else may read it.

Examples:
  qemu-cbt user add backup --role backup --users /etc/qemu-cbt/users.json
  pass show vms | qemu-cbt user add monitor --role read --vm web --vm db
  qemu-cbt user list --json`,
    )
    .action(async (what, name, flags) => {
      const users = await import('./commands/user.js');
      if (what === 'add') await users.add(io, name, flags);
      else if (what === 'remove') await users.remove(io, name, flags);
      else if (what === 'list') await users.list(io, flags);
      else throw invalidArgument('what', what, 'add, remove or list');
    });
}
