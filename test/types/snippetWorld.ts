/**
 * What snippets find at the paths that they name, below a folder of their own: images with points in time, a running QEMU with two disks
 * (a storage daemon), an NBD export, a folder with backups, a host file; and one process that runs them all, one after another.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { backup, backupToTarget, folderTarget, vmSource } from '../../lib/backup/index.js';
import { ImageTracking } from '../../lib/host/imageTracking.js';
import { connectVm } from '../../lib/host/vm.js';
import { type NbdServerProcess, startQemuNbd } from '../helpers/nbdServers.js';
import { ObjectServer } from '../helpers/objectServer.js';
import { qemuImg, writeRecorded } from '../helpers/qemuTools.js';
import { atHand, moduleName, type Snippet } from '../helpers/snippets.js';
import { StorageDaemon } from '../helpers/storageDaemon.js';

/** The points in time that snippets ask about: on every disk, in this order. */
const POINTS = ['3f2504e0-4f89-11d3-9a0c-0305e82c3301', '9b2e6f1c-5d0a-4e7b-8c3d-2a1f0e9d8c7b'] as const;
const SIZE = '4M';
const PROGRAM = join(import.meta.dirname, 'runSnippets.mjs');

export class SnippetWorld implements AsyncDisposable {
  private constructor(
    readonly folder: string,
    readonly daemon: StorageDaemon,
    readonly nbd: NbdServerProcess,
    readonly objects: ObjectServer,
  ) {}

  static async make(folder: string): Promise<SnippetWorld> {
    const at = (...names: string[]): string => join(folder, ...names);
    for (const name of [
      'vm',
      'images',
      'restored',
      'backup',
      'run/vms',
      'etc/qemu-cbt',
      'var/lib/vms',
      'qsd',
    ])
      await mkdir(at(name), { recursive: true });
    // One image that was tracked, by all the names.
    await qemuImg('create', '-q', '-f', 'qcow2', at('vm/disk.qcow2'), SIZE);
    const tracking = new ImageTracking([at('vm/disk.qcow2')]);
    await tracking.enable({ pit: POINTS[0] });
    await writeRecorded(at('vm/disk.qcow2'), [[0, 65_536]]);
    await tracking.begin({ pit: POINTS[1] });
    await writeRecorded(at('vm/disk.qcow2'), [[1 << 20, 65_536]]);
    for (const copy of [
      'vm/restored.qcow2',
      'vm/old.qcow2',
      'images/vda.qcow2',
      'images/web.qcow2',
      'kept.qcow2',
    ])
      await cp(at('vm/disk.qcow2'), at(copy));
    await qemuImg('create', '-q', '-f', 'qcow2', at('exported.qcow2'), SIZE);
    for (const name of ['backup-7', POINTS[0]]) await qemuImg('bitmap', '--add', at('exported.qcow2'), name);
    const names = ['-e', '8', '-x', 'disk', '-B', 'backup-7', '-B', POINTS[0]];
    const nbd = await startQemuNbd(folder, ...names, '-f', 'qcow2', at('exported.qcow2'));
    await symlink(nbd.socket, at('run/nbd.sock'));
    for (const node of ['drive0', 'vda'])
      await qemuImg('create', '-q', '-f', 'qcow2', at(`qsd/${node}`), SIZE);
    const disks = ['drive0', 'vda'].map((node) => ({ node, file: node }));
    const daemon = await StorageDaemon.start({ disks, folder: at('qsd') });
    const world = new SnippetWorld(folder, daemon, nbd, await ObjectServer.start('s3'));
    try {
      await world.#fill();
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Points in time of the VM, backups of it, and who it is. */
  async #fill(): Promise<void> {
    const { daemon, folder } = this;
    const at = (...names: string[]): string => join(folder, ...names);
    for (const name of ['run/vms/web.qmp', 'run/web.qmp', 'run/vm.qmp'])
      await symlink(daemon.process.qmpPath, at(name));
    await using vm = await connectVm(daemon.process.qmpPath, { scratchFolder: at('qsd') });
    await vm.enable({ pit: POINTS[0] });
    await (await vm.begin({ pit: POINTS[1] })).commit();
    await backup(vmSource(vm), { to: at('backup/web') });
    await backupToTarget(vmSource(vm, { disks: ['drive0'] }), { to: folderTarget(at('backup/objects')) });
    for (const name of ['vm', 'backup', 'restored'])
      await cp(at(name), at(`pristine/${name}`), { recursive: true });
    const host = `vms:\n  - { name: web, qmpSocket: ${at('run/vms/web.qmp')}, uuid: ${POINTS[1]} }\n`;
    await writeFile(at('etc/qemu-cbt/host.yaml'), host);
  }

  /** How each one ended, by the name of its module: `ok`, or what went wrong. */
  async run(modules: string, snippets: readonly Snippet[]): Promise<Record<string, string>> {
    const [previousUuid, uuid] = POINTS;
    const plan = {
      folder: this.folder,
      objects: this.objects.url,
      points: { previousUuid, uuid },
      nbd: this.nbd.socket,
      snippets: snippets.map((one) => ({
        module: join(modules, `${moduleName(one)}.js`),
        name: moduleName(one),
        code: one.code,
        subpath: one.subpath ?? (/^import /m.test(one.code) ? '' : 'parallels'),
        atHand: atHand(one),
      })),
    };
    await writeFile(join(this.folder, 'plan.json'), JSON.stringify(plan));
    const env = {
      ...process.env,
      QEMU_CBT_HOST: join(this.folder, 'etc/qemu-cbt/host.yaml'),
      QEMU_CBT_STATE: join(this.folder, 'state'),
    };
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [PROGRAM, join(this.folder, 'plan.json')],
      {
        env,
        timeout: 120_000,
      },
    );
    return JSON.parse(stdout.slice(stdout.lastIndexOf('\n{') + 1)) as Record<string, string>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.objects[Symbol.asyncDispose]();
    await this.daemon[Symbol.asyncDispose]();
    await this.nbd.stop();
  }
}
