// A libvirt of the bench's own with one VM. It is a session daemon whose every file lies in the given folder, so it meets no
// other libvirt of the machine and nothing of it is left when the folder goes. Root has no session daemon: there the
// programs run in a user namespace in which root has another number. The VM has one disk, is never let run (a guest would
// take processor time from the copies). Both sides, and whoever writes, reach its QEMU through libvirt.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { DomainWay } from '../dist/backend/libvirt/domainWay.js';
import { run } from './measure.mjs';

const NAME = 'bench';
const DEVICE = '/machine/peripheral/virtio-disk0/virtio-backend';
const STARTED_WITHIN_MS = 20_000;
const isRoot = process.getuid?.() === 0;

/** Programs that are needed and not there. */
export function missingPrograms(others) {
  const needed = ['libvirtd', 'virsh', 'qemu-system-x86_64', ...others, ...(isRoot ? ['unshare'] : [])];
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return needed.filter((name) => !folders.some((folder) => existsSync(join(folder, name))));
}

export class LibvirtVm {
  #folder;
  #daemon;
  #client;

  constructor(folder) {
    this.#folder = folder;
  }

  /** As our command names it. */
  get vm() {
    return `libvirt:qemu:///session?socket=${join(this.#folder, 'r/libvirt/libvirt-sock')}#${NAME}`;
  }

  async start(image) {
    for (const place of ['r', 'c', 'h', 'd']) await mkdir(join(this.#folder, place), { mode: 0o700 });
    await mkdir(join(this.#folder, 'c/libvirt'));
    // Else a virtlogd would be wanted beside it.
    await writeFile(join(this.#folder, 'c/libvirt/qemu.conf'), 'stdio_handler = "file"\n');
    const [env, ...rest] = this.command('libvirtd');
    this.#daemon = spawn(env, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    this.#daemon.stderr.on('data', (chunk) => {
      said = (said + chunk).slice(-4096);
    });
    await this.#until(join(this.#folder, 'r/libvirt/libvirt-sock'), () => said);
    const xml = join(this.#folder, 'vm.xml');
    await writeFile(xml, this.#definition(image));
    await this.virsh('define', xml);
    await this.virsh('start', NAME, '--paused');
    this.#client = await new DomainWay(this.vm).connect();
  }

  /** A program that finds this libvirt as `qemu:///session`. */
  command(program, ...args) {
    const at = (name) => join(this.#folder, name);
    const places = { RUNTIME_DIR: 'r', CONFIG_HOME: 'c', CACHE_HOME: 'h', DATA_HOME: 'd' };
    const environment = Object.entries(places).map(([name, place]) => `XDG_${name}=${at(place)}`);
    const other = isRoot ? ['unshare', '--user', '--map-user=1000', '--map-group=1000'] : [];
    const path = `PATH=${process.env.PATH}${delimiter}/usr/sbin`;
    return ['env', path, `HOME=${this.#folder}`, ...environment, ...other, program, ...args];
  }

  async virsh(...args) {
    const [env, ...rest] = this.command('virsh', '-q', '-c', 'qemu:///session', ...args);
    return run(env, rest);
  }

  /** Writes as the VM's disk device makes them: commands of qemu-io. */
  async io(commands) {
    for (const command of commands) {
      const line = `qemu-io -d ${DEVICE} "${command}"`;
      await this.#client.execute('human-monitor-command', { 'command-line': line });
    }
  }

  async #until(path, said) {
    const deadline = performance.now() + STARTED_WITHIN_MS;
    while (!existsSync(path)) {
      if (this.#daemon.exitCode !== null) throw new Error(`libvirtd ended: ${said()}`);
      if (performance.now() > deadline) throw new Error(`libvirtd has no ${path}: ${said()}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  #definition(image) {
    return `<domain type='qemu'>
  <name>${NAME}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='${image}'/><target dev='vda' bus='virtio'/>
    </disk>
    <memballoon model='none'/>
  </devices>
</domain>
`;
  }

  /** At once, whatever is under way. A libvirtd that is asked to end (SIGTERM) may still write to its folder. */
  kill(signal = 'SIGKILL') {
    const pid = join(this.#folder, `r/libvirt/qemu/run/${NAME}.pid`);
    if (existsSync(pid)) process.kill(Number(readFileSync(pid, 'utf8')), 'SIGKILL');
    this.#daemon?.kill(signal);
  }

  async stop() {
    await this.#client?.close();
    const daemon = this.#daemon;
    const ended = daemon === undefined || daemon.exitCode !== null || once(daemon, 'close');
    this.kill('SIGTERM');
    await ended;
  }
}
