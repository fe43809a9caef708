/** A connection to a machine in memory: the port `Vm`, with the rules of the library and none of its own. */
import { BegunSessions } from '../core/begunSessions.js';
import type { CallOptions } from '../core/callOptions.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { checkCall, text } from '../core/options.js';
import { settled } from '../core/outcome.js';
import { parsePoint } from '../core/point.js';
import { type Instant, requireUuid } from '../core/pointInTime.js';
import type { Session } from '../core/session.js';
import { TrackedDisk } from '../core/trackedDisk.js';
import {
  begin,
  disable,
  enable,
  forget,
  reset,
  rollback,
  type TrackingOutcome,
  undo,
} from '../core/tracking.js';
import type { BeginVmOptions, DisksOptions, StartVmOptions, Vm, VmDiskInfo, VmFacts } from '../core/vm.js';
import { checkBegin, checkDisks, checkStart } from '../core/vmOptions.js';
import type { FaultCall } from './faults.js';
import { type Machine, MachineTarget } from './machine.js';
import { MemorySession } from './memorySession.js';
import { MemoryDiskSource } from './memorySource.js';

export class MemoryVm implements Vm {
  readonly running = true;
  readonly lost: AbortSignal;
  readonly #machine: Machine;
  readonly #opened = new Set<TrackedDisk>();
  readonly #begun = new BegunSessions();
  #closed = false;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.lost = machine.lost;
  }

  get key(): string {
    return this.#machine.uuid;
  }

  async facts(options: CallOptions = {}): Promise<VmFacts> {
    checkCall('facts', options);
    const { name, uuid } = await this.#meet('facts', null, options.signal);
    return { name, uuid, status: 'running', qemu: null, cpus: null, memoryBytes: null };
  }

  async disks(options: DisksOptions = {}): Promise<VmDiskInfo[]> {
    checkDisks('disks', options);
    const machine = await this.#meet('disks', null, options.signal);
    return machine.chosen(options.disks).map((disk) => {
      const { name, filename, sizeBytes, format, backing } = disk;
      const below = backing === null ? {} : { backing: [backing.filename] };
      const persistent = format === 'qcow2';
      return { disk: name, filename, ...below, sizeBytes, format, persistent, trackable: true };
    });
  }

  async openDisk(name: string, options: CallOptions = {}): Promise<TrackedDisk> {
    text(name, 'disk');
    checkCall('openDisk', options);
    const machine = await this.#meet('openDisk', name, options.signal);
    const disk = machine.find(name);
    const before = (signal: AbortSignal | undefined): Promise<void> =>
      machine.meet('question', disk.name, signal);
    const source = new MemoryDiskSource(disk, { kernel: machine.kernel, live: true, before });
    const opened = new TrackedDisk(source, machine.kernel);
    this.#opened.add(opened);
    return opened.closeWith({ close: async () => void this.#opened.delete(opened) });
  }

  async enable(options: StartVmOptions = {}): Promise<TrackingOutcome> {
    checkStart('enable', options);
    return this.#change('enable', options, (target) => enable(target, this.#start(options)));
  }

  async reset(options: StartVmOptions = {}): Promise<TrackingOutcome> {
    checkStart('reset', options);
    return this.#change('reset', options, (target) => reset(target, this.#start(options)));
  }

  async disable(options: DisksOptions = {}): Promise<TrackingOutcome> {
    checkDisks('disable', options);
    const { signal } = options;
    return this.#change('disable', options, (target) => disable(target, { signal }));
  }

  async forget(point: string | Instant, options: DisksOptions = {}): Promise<TrackingOutcome> {
    checkDisks('forget', options);
    const parsed = parsePoint('point', point);
    const { signal } = options;
    return this.#change('forget', options, (target) => forget(target, { point: parsed, signal }));
  }

  async undo(pit: string, options: DisksOptions = {}): Promise<TrackingOutcome> {
    checkDisks('undo', options);
    const uuid = requireUuid('pit', pit);
    const { signal } = options;
    return this.#change('undo', options, (target) => undo(target, { pit: uuid, signal }));
  }

  async begin(options: BeginVmOptions = {}): Promise<Session> {
    checkBegin(options);
    const { signal, mode = 'fleece' } = options;
    const base = options.base === undefined ? undefined : parsePoint('base', options.base);
    const target = await this.#target('begin', options);
    const machine = this.#machine;
    const pit = options.pit === undefined ? machine.drawUuid() : requireUuid('pit', options.pit);
    const beginning = machine.alone(async () => {
      const [open] = machine.sessions.keys();
      if (open !== undefined)
        throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `session ${open} is open on ${machine.name}`, {
          reason: 'BUSY',
        });
      const begun = settled(await begin(target, { pit, base, drawUuid: machine.drawUuid, signal }));
      machine.requireRunning();
      if (signal?.aborted) await rollback(target, { pit });
      throwIfAborted(signal);
      const { disks, warnings } = begun;
      const session = new MemorySession({ machine, pit, mode, disks, instants: target.instants, warnings });
      machine.sessions.set(pit, session);
      return session;
    });
    return options.detached ? beginning : this.#begun.add(beginning);
  }

  async resume(pit: string, options: CallOptions = {}): Promise<Session> {
    checkCall('resume', options);
    const uuid = requireUuid('session', pit);
    const machine = await this.#meet('resume', null, options.signal);
    const found = machine.sessions.get(uuid);
    if (found === undefined)
      throw new CbtError('ERR_CBT_CLOSED', `no session ${uuid} is open on ${machine.name}`, {
        details: { ended: true },
      });
    return found;
  }

  async qmp(command: string): Promise<unknown> {
    this.#requireOpen();
    throw new CbtError('ERR_CBT_UNSUPPORTED', `${command} was asked of a VM in memory: there is no QEMU`);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#begun.end();
    for (const disk of this.#opened) await disk.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #start({ pit, granularityBytes, signal }: StartVmOptions) {
    const { drawUuid } = this.#machine;
    const point = pit === undefined ? drawUuid() : requireUuid('pit', pit);
    return { pit: point, granularityBytes, signal, drawUuid };
  }

  async #change(
    call: FaultCall,
    options: DisksOptions,
    work: (target: MachineTarget) => Promise<TrackingOutcome>,
  ): Promise<TrackingOutcome> {
    const target = await this.#target(call, options);
    return settled(await this.#machine.alone(() => work(target)));
  }

  async #target(call: FaultCall, { disks, signal }: DisksOptions): Promise<MachineTarget> {
    const machine = await this.#meet(call, null, signal);
    return new MachineTarget(machine, machine.chosen(disks));
  }

  async #meet(call: FaultCall, disk: string | null, signal: AbortSignal | undefined): Promise<Machine> {
    this.#requireOpen();
    // A machine that was started again is another one to whoever was connected before.
    if (this.lost.aborted) throw this.lost.reason;
    await this.#machine.meet(call, disk, signal);
    this.#requireOpen();
    return this.#machine;
  }

  #requireOpen(): void {
    if (this.#closed) throw new CbtError('ERR_CBT_CLOSED', `the VM ${this.#machine.name} is closed`);
  }
}
