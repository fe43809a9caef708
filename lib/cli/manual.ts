/** What the manual says beside the commands; the help of the command has the exit codes too. */

type Terms = readonly (readonly [term: string, meaning: string])[];

/** Stable for scripts (exitCode.ts). */
export const EXIT_STATUS: Terms = [
  ['0', 'done'],
  ['1', 'our bug'],
  ['2', 'usage'],
  ['3', 'tracking lost or unknown point in time: take a full backup'],
  ['4', 'corrupt image or broken protocol'],
  ['5', 'could not reach QEMU, file or lock'],
  [
    '6',
    'nothing failed, and it is not as wanted (list --check, backup --strict, restore --to-folder of a run without one of the disks, run)',
  ],
  ['128 and more', 'ended by the signal with the number above 128; what was begun is undone'],
];

/** Variables that the command reads. */
export const ENVIRONMENT: Terms = [
  ['QEMU_CBT_HOST', 'the host file, where --host names none'],
  [
    'QEMU_CBT_STATE',
    'folder for records of VMs and their numbers (default: /var/lib/qemu-cbt for root, else ~/.local/state/qemu-cbt)',
  ],
  ['LIBVIRT_DEFAULT_URI', 'the libvirt that libvirt: without a URI means (default: qemu:///system)'],
  [
    'TMPDIR',
    'where sessions on running VMs put their files unless --scratch says; unset, /tmp, or /var/tmp where that is memory or has less than 1 GiB',
  ],
  ['TZ', 'the time zone of the times that are shown'],
  [
    'QEMU_IMG, QEMU_NBD, QEMU_STORAGE_DAEMON, QEMU_CBT_FLOCK',
    'other builds of the programs that are run (default: from PATH)',
  ],
  ['QEMU_CBT_KERNEL', 'native, script or auto: which code does the bulk work, where --kernel says auto'],
  ['QEMU_CBT_ADDON_PATH, QEMU_CBT_NBD_ADDON_PATH', 'the one addon file of each kind to load'],
  ['QEMU_CBT_ADDONS', 'the folder of both, where the package’s own is not beside the program (a bundle)'],
  ['NODE_DEBUG', 'qemu-cbt: a line for everything that is done, on stderr'],
];

/** Files beside the images and backup folders that are named. */
export const FILES: Terms = [
  [
    '/etc/qemu-cbt/host.yaml',
    'the host file, which names VMs; docs/host.example.yaml of the package has every key',
  ],
  ['/var/lib/qemu-cbt', 'records of VMs: their numbers, what snapshots of clients are, who holds them'],
  ['<folder of a job>/last-run-<job>.json', 'how the last qemu-cbt run of the job went'],
  ['<backup folder>/folder.json', 'whose backups the folder holds'],
  ['<backup folder>/run-000001.json', 'the manifest of a run: disks, points in time, sizes, reasons'],
  [
    '<backup folder>/vda-000001.qcow2, vda-000001.sums',
    'a disk’s layer in a run, which any qemu-img reads, and the sums of its bytes',
  ],
];
