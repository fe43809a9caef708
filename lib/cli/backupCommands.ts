/** Declares the backup commands: of a running VM or of images that no VM uses, into a folder of plain qcow2 files. */
import { type Command, Option } from 'commander';
import type { CliContext } from './context.js';
import { addCopy } from './copyCommand.js';
import { formatOption, TRUST } from './formatOptions.js';
import { addKeepFlags } from './keepFlags.js';
import { addList } from './listCommand.js';
import { addTlsFlags } from './tlsFlags.js';

export function addBackup(program: Command, context: CliContext): void {
  const { io } = context;

  source(program.command('backup'), 'back disks up into a folder of qcow2 files')
    .requiredOption('--to <folder>', 'the backup folder; made when it is not there')
    .option(
      '--all',
      'every VM of the host file, or of --vm libvirt:<uri>, each into a folder of its name; one that fails stops no other',
    )
    .addOption(new Option('--full', 'copy everything').conflicts('incremental'))
    .addOption(
      new Option(
        '--strict',
        'exit code 6 where a disk had to be copied in full because its chain was lost; the run is kept',
      ).conflicts('full'),
    )
    .option('--incremental', 'copy what changed where the chain allows, else everything (the default)')
    .option('--adopt', 'take a VM or images into a folder that is another one’s, each kept by itself')
    .option('--as <name>', 'the one disk of this run is the one that the folder has under this name')
    .option(
      '--quiesce',
      'freeze the guest’s file systems for the instant (needs --agent, but of a libvirt domain)',
    )
    .option('--agent <socket>', 'unix socket of the guest agent')
    .option(
      '--scratch <folder>',
      'where QEMU keeps what the guest overwrites meanwhile (default: /tmp, or /var/tmp where that is memory or nearly full)',
    )
    .option('--scratch-limit <bytes>', 'most bytes it may keep there (default: 80 % of what is free)')
    .option('--rate <bytes>', 'read at most so many bytes a second (K, M, G suffixes)')
    .option('--jobs <n>', 'disks copied at the same time (default: 2)')
    .addOption(new Option('--map', 'draw what was copied of each disk in the summary').conflicts('json'))
    .option('--map-svg <folder>', 'the same as an SVG file a disk, named as its qcow2 file')
    .addHelpText(
      'after',
      `
Each run adds a qcow2 file a disk, an incremental one backed by the file of the run before, and a manifest. Any qemu-img can
read or convert the newest file; \`qemu-cbt restore\` also checks every byte. An interrupted run leaves what was there before.
Whether a disk is copied in full or in part is decided per disk and said with its reason.

A folder belongs to the VM, or the images, of its first run (folder.json); another one is refused unless --adopt is given. A
disk is known by its history, whatever it is called; after a loss by its image's path, or its name and size. --as names the
disk of the folder that it is, where that cannot be seen.

Examples:
  qemu-cbt backup --vm /run/vm.qmp --to /backups/vm
  qemu-cbt backup --vm /run/vm.qmp --disk drive0 --to /backups/vm --quiesce --agent /run/vm.agent --rate 200M
  qemu-cbt backup --vm libvirt:#web --to /backups/web                  a libvirt domain, running or off
  qemu-cbt backup --vm web --to /backups/web                           a VM of the host file
  qemu-cbt backup --all --to /backups                                  each of them, into /backups/<name>
  qemu-cbt backup --all --vm libvirt: --to /backups                    each domain of libvirt
  qemu-cbt backup disk.qcow2 --to /backups/disk --json
  qemu-cbt backup /new/place/web.qcow2 --to /backups/vm --as drive0    a disk that moved, its history lost`,
    )
    .action(async (images, flags) => {
      context.result.exitCode = flags.all
        ? await (await import('./commands/backupAll.js')).backupAll(io, images, flags)
        : await (await import('./commands/backup.js')).backupCommand(io, images, flags);
    });

  source(program.command('estimate'), 'how much a backup into a folder would copy now')
    .requiredOption('--to <folder>', 'the backup folder')
    .option('--full', 'estimate a full backup')
    .option('--adopt', 'as a backup with --adopt')
    .option('--as <name>', 'as a backup with --as')
    .addHelpText(
      'after',
      '\nNothing is begun or written.\n\nExamples:\n  qemu-cbt estimate --vm /run/vm.qmp --to /backups/vm\n  qemu-cbt estimate disk.qcow2 --to /backups/disk --json',
    )
    .action(async (images, flags) => {
      context.result.exitCode = await (await import('./commands/estimate.js')).estimateCommand(
        io,
        images,
        flags,
      );
    });

  const restore = program
    .command('restore')
    .description('restore a disk, or all of them, as they were at a run of a backup folder')
    .requiredOption('--from <folder>', 'the backup folder')
    .option('--to <file or uri>', 'a new file, a block device, or an NBD URI')
    .addOption(
      new Option(
        '--to-folder <folder>',
        'all disks of the run, each into a file of its name there',
      ).conflicts(['to', 'disk']),
    )
    .option(
      '--define <name>',
      'make a new domain of libvirt over the files of --to-folder, of what a plain VM needs from the XML that the run kept (--trust: all of it): its name, or libvirt:<uri>#<name>',
    )
    .option(
      '--same-identity',
      'with --define: UUID and MAC addresses of the old domain, which must not be there any more',
    )
    .addOption(
      new Option(
        '--onto <image or vm>',
        'an image that no VM uses, a VM that is off (all its disks), or <vm>#<disk>: only what differs is written',
      ).conflicts(['to', 'toFolder']),
    )
    .addOption(
      new Option(
        '--instant',
        'make overlays over the backup (--to, --to-folder) that a VM starts from at once, and hold the folder until this is ended',
      ).conflicts(['onto', 'format', 'force', 'define', 'sameIdentity', 'tlsCertificates', 'tlsPsk']),
    )
    .addOption(
      new Option(
        '--vm <vm>',
        'with --instant: fill the overlays while this VM runs from them, and end then',
      ).conflicts('onto'),
    )
    .option(
      '--pit <uuid>',
      'point in time of the run, or its number (default: the newest; all disks of a folder of several owners want it)',
    )
    .option('--disk <name>', 'which disk; needed where the run has several')
    .addOption(
      new Option(
        '--format <format>',
        'format of a new file (default: qcow2 for *.qcow2 and in a folder, else raw), or of the image of --onto',
      ).choices(['raw', 'qcow2']),
    )
    .option(...TRUST)
    .option(
      '--force',
      'replace a file that is there; overwrite an image of which the folder does not know that it is this disk, or on which an overlay stands',
    );
  addTlsFlags(restore)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Every byte is checked against the sums of its run before it is written; a new file appears under its name when it is complete.

--onto makes an image that is there what the disk was. Where a run stands in the image's chain only what changed since is read
and compared, else all data is; either way only what differs is written, and recorded in the image's points in time. Interrupted,
the image is restored in part, and the same command goes on from there.

--instant makes overlays over the run's own files, which are only read: a VM starts from them at once. With --vm its QEMU fills them
while it runs, and the command ends when nothing of the backup is needed any more; no prune changes the folder until then, and one
that cannot be locked is refused. Ended before, the same with --vm, --disk and --to goes on with an overlay that is there.

Examples:
  qemu-cbt restore --from /backups/vm --disk drive0 --to drive0.raw
  qemu-cbt restore --from /backups/web --instant --to-folder /vms/web --vm /run/web.qmp    then start the VM
  qemu-cbt restore --from /backups/web --onto web                               the VM is off: its disks, as at the newest run
  qemu-cbt restore --from /backups/vm --pit 12 --onto /var/lib/vms/vm.qcow2     back to run 12
  qemu-cbt restore --from /backups/vm --pit 12 --to-folder /var/lib/vms/vm      all disks of run 12
  qemu-cbt restore --from /backups/web --to-folder /var/lib/vms/web2 --define web2   and a domain of libvirt over them, with a UUID and MACs of its own
  qemu-cbt restore --from /backups/vm --disk drive0 --pit <uuid> --to nbd+unix:///?socket=/run/target.sock
  qemu-cbt restore --from /backups/vm --disk drive0 --to nbds://spare.example/drive0 --tls-certificates /etc/pki/qemu`,
    )
    .action(async (flags) => {
      context.result.exitCode = await (await import('./commands/restore.js')).restoreCommand(io, flags);
    });

  source(program.command('verify'), 'is a backup folder sound?')
    .requiredOption('--from <folder>', 'the backup folder')
    .addOption(
      new Option(
        '--depth <depth>',
        'manifest: manifests, chain and headers; data: every stored byte as well (default); map: the change map against the disk given',
      ).choices(['manifest', 'data', 'map']),
    )
    .addHelpText(
      'after',
      `
With a VM or images, the disk as it is now is compared with the newest run that its chain knows, everywhere outside the change
map between the two: a byte that differs there would be missing in the next incremental backup. Nothing is kept of that session.

Exit code 0 only when everything looked at is sound.

Examples:
  qemu-cbt verify --from /backups/vm
  qemu-cbt verify --from /backups/vm --vm /run/vm.qmp          the map against the running disk`,
    )
    .action(async (images, flags) => {
      context.result.exitCode = await (await import('./commands/verify.js')).verifyCommand(io, images, flags);
    });

  addList(program, context);
  addCopy(program, context);

  const prune = source(program.command('prune'), 'forget runs by rules, merging what later ones need');
  addKeepFlags(prune.requiredOption('--from <folder>', 'the backup folder'))
    .option('--dry-run', 'only say what would be done')
    .addHelpText(
      'after',
      `
The newest run of every disk is always kept. With a VM or images, the points in time of forgotten runs are forgotten in the
disks' chains as well; without, that is left for a later prune. May be interrupted at any moment: the next run goes on.

Examples:
  qemu-cbt prune --from /backups/vm --vm /run/vm.qmp --keep-last 3 --keep-daily 7 --keep-weekly 4
  qemu-cbt prune --from /backups/disk --keep-last 5 --dry-run`,
    )
    .action(async (images, flags) => {
      context.result.exitCode = await (await import('./commands/prune.js')).pruneCommand(io, images, flags);
    });
}

function source(command: Command, description: string): Command {
  return command
    .description(description)
    .argument('[image...]', 'images that no VM uses: qcow2, raw, a Parallels .hds file or .hdd folder')
    .option(
      '--vm <vm>',
      'a VM: its QMP socket, libvirt:<uri>#<domain>, or its name or UUID in the host file, instead of images',
    )
    .option('--disk <name...>', 'disks of the VM (default: all that can be tracked)')
    .option('--nbd-socket <path>', 'socket of an NBD server that this QEMU runs already')
    .addOption(formatOption())
    .option(...TRUST)
    .option('--json', 'print one JSON object');
}
