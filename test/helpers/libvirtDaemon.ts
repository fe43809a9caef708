/**
 * A real libvirtd of a test's own. It has the machine's paths in a mount namespace of its own, so that it neither sees nor disturbs another,
 * and runs its QEMUs as `libvirt-qemu`, as distributions do. Needs root, as such a daemon does.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Libvirt } from '../../lib/backend/libvirt/libvirt.js';
import { parseLibvirtUri } from '../../lib/backend/libvirt/libvirtUri.js';
import { eventually } from './eventually.js';
import { run } from './qemuProcess.js';
import { makeTemporaryFolder, type TemporaryFolder } from './temporaryFolder.js';

/** With which its QEMUs open files. */
export const QEMU_UID = 64_055;

const QEMU_CONF = `
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
`;

/** Folders of the machine that it has to itself. */
const OWN = {
  etc: '/etc/libvirt',
  run: '/run/libvirt',
  lib: '/var/lib/libvirt',
  log: '/var/log/libvirt',
  cache: '/var/cache/libvirt',
};

export interface DomainDiskOptions {
  target: string;
  file: string;
  format?: string;
}

export class LibvirtDaemon {
  #pid = 0;

  private constructor(private readonly folder: TemporaryFolder) {}

  static async start(): Promise<LibvirtDaemon> {
    const folder = await makeTemporaryFolder();
    const daemon = new LibvirtDaemon(folder);
    try {
      await daemon.#prepare();
      await daemon.run();
      return daemon;
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** As libvirt's own client and ours take it. */
  get uri(): string {
    return `qemu:///system?socket=${this.file('run/libvirt-sock')}`;
  }

  /** A path in a folder that both its QEMUs and the test see. */
  file(name: string): string {
    return join(this.folder.path, name);
  }

  /** The name of a domain as ours takes it. */
  address(domain: string): string {
    return `libvirt:${this.uri}#${domain}`;
  }

  virsh(...args: string[]): Promise<string> {
    return run('virsh', ['-q', '-c', this.uri, ...args]);
  }

  /** Defines a domain of TCG that boots nothing; `monitor`: the path of a second monitor; `more`: further arguments of QEMU's. */
  async define(
    name: string,
    disks: readonly DomainDiskOptions[],
    monitor?: string,
    more: readonly string[] = [],
  ): Promise<void> {
    const devices = disks.map(
      ({ target, file, format = 'qcow2' }) =>
        `<disk type='file' device='disk'><driver name='qemu' type='${format}'/><source file='${file}'/><target dev='${target}' bus='virtio'/></disk>`,
    );
    const second = ['-chardev', `socket,id=second,path=${monitor},server=on,wait=off`]
      .concat('-mon', 'chardev=second,mode=control', ...more)
      .map((value) => `<qemu:arg value='${value}'/>`)
      .join('');
    const commandLine = monitor === undefined ? '' : `<qemu:commandline>${second}</qemu:commandline>`;
    const xml = `<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>${name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
      <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
      <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>${devices.join('')}</devices>${commandLine}</domain>`;
    const file = this.file(`${name}.xml`);
    await writeFile(file, xml);
    await this.virsh('define', file);
  }

  /** A guest write through qemu-io inside QEMU: 'write -P 7 0 64k'. */
  async guestIo(domain: string, alias: string, command: string): Promise<void> {
    const device = `/machine/peripheral/${alias}/virtio-backend`;
    const said = await this.virsh(
      'qemu-monitor-command',
      domain,
      '--hmp',
      `qemu-io -d ${device} "${command}"`,
    );
    if (said.trim() !== '') throw new Error(`qemu-io on ${device}: ${said}`);
  }

  /** What QEMU answers. */
  async qmp(domain: string, execute: string, args?: object): Promise<unknown> {
    const command = { execute, ...(args && { arguments: args }) };
    const answer = JSON.parse(await this.virsh('qemu-monitor-command', domain, JSON.stringify(command)));
    if (answer.error) throw new Error(`${execute}: ${answer.error.desc}`);
    return answer.return;
  }

  /** The process of a domain's QEMU. */
  async pidOf(domain: string): Promise<number> {
    return Number(await readFile(this.file(`run/qemu/${domain}.pid`), 'utf8'));
  }

  /** Ends the daemon, and nothing of its domains. */
  async stop(): Promise<void> {
    const pid = this.#pid;
    this.#pid = 0;
    if (pid === 0) return;
    process.kill(pid, 'SIGTERM');
    await eventually(() => expectGone(pid));
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const name of await readdir(this.file('run/qemu')).catch(() => [])) {
      if (!name.endsWith('.pid') || name === 'driver.pid') continue;
      const pid = Number(await readFile(this.file(`run/qemu/${name}`), 'utf8').catch(() => ''));
      if (pid === 0) continue;
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It had ended.
        continue;
      }
      await eventually(() => expectGone(pid));
    }
    await this.folder.remove();
  }

  async #prepare(): Promise<void> {
    // QEMU's user has to come to its images.
    await chmod(this.folder.path, 0o755);
    for (const name of Object.keys(OWN)) await mkdir(this.file(name));
    await writeFile(this.file('etc/qemu.conf'), QEMU_CONF);
    await writeFile(
      this.file('etc/libvirtd.conf'),
      `unix_sock_dir = "${this.file('run')}"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\nhost_uuid = "${randomUUID()}"\n`,
    );
    // The user need not be known to the machine.
    for (const [name, line] of [
      ['passwd', `libvirt-qemu:x:${QEMU_UID}:${QEMU_UID}::/:/usr/sbin/nologin`],
      ['group', `libvirt-qemu:x:${QEMU_UID}:`],
    ] as const) {
      const known = (await readFile(`/etc/${name}`, 'utf8')).split('\n');
      const others = known.filter((one) => one !== '' && !one.startsWith('libvirt-qemu:'));
      await writeFile(this.file(name), `${[...others, line].join('\n')}\n`);
    }
    const binds = Object.entries(OWN).map(
      ([name, path]) => `mkdir -p ${path} && mount --bind ${this.file(name)} ${path}`,
    );
    // Its QEMUs may not open it, its probes may: it would probe again at every turn.
    const noKvm = `if [ -e /dev/kvm ]; then install -m 000 /dev/null ${this.file('kvm')}; mount --bind ${this.file('kvm')} /dev/kvm; fi`;
    const users = ['passwd', 'group'].map((name) => `mount --bind ${this.file(name)} /etc/${name}`);
    const daemon = `exec libvirtd -f /etc/libvirt/libvirtd.conf -p ${this.file('libvirtd.pid')}`;
    await writeFile(this.file('start.sh'), ['set -e', noKvm, ...binds, ...users, daemon].join('\n'));
  }

  /** Starts the daemon, which finds its domains again. */
  async run(): Promise<void> {
    const child = spawn('unshare', ['-m', 'bash', this.file('start.sh')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    let ended = false;
    void once(child, 'exit').then(() => {
      ended = true;
    });
    this.#pid = child.pid ?? 0;
    try {
      await eventually(async () => {
        if (!ended) await (await Libvirt.connect(parseLibvirtUri(this.uri))).close();
      });
    } finally {
      if (ended) this.#pid = 0;
    }
    if (ended) throw new Error(`libvirtd did not start: ${stderr}`);
  }
}

function expectGone(pid: number): void {
  try {
    process.kill(pid, 0);
  } catch {
    return;
  }
  throw new Error(`process ${pid} runs on`);
}
