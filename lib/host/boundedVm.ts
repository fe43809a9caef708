/** A VM and its sessions whose calls have each caller's own deadline, beside his signal. */
import { openBounded } from '../core/boundedData.js';
import type { CallOptions } from '../core/callOptions.js';
import { closing } from '../core/closing.js';
import type { DiskData, OpenDataOptions } from '../core/diskData.js';
import { throwIfAborted } from '../core/errors.js';
import { checkCall, plainObject, text } from '../core/options.js';
import type { EndSessionOptions, Session } from '../core/session.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { TrackingOutcome } from '../core/tracking.js';
import type { BeginVmOptions, DisksOptions, StartVmOptions, Vm, VmDiskInfo, VmFacts } from '../core/vm.js';
import { within } from '../core/within.js';
import { PassedSession, PassedVm } from './passed.js';

export class BoundedVm extends PassedVm implements Vm {
  facts(options?: CallOptions): Promise<VmFacts> {
    return within('facts', options, (own) => this.vm.facts(own));
  }

  disks(options?: DisksOptions): Promise<VmDiskInfo[]> {
    return within('disks', options, (own) => this.vm.disks(own));
  }

  openDisk(name: string, options?: CallOptions): Promise<TrackedDisk> {
    return within('openDisk', options, (own) => this.vm.openDisk(name, own));
  }

  enable(options?: StartVmOptions): Promise<TrackingOutcome> {
    return within('enable', options, (own) => this.vm.enable(own));
  }

  reset(options?: StartVmOptions): Promise<TrackingOutcome> {
    return within('reset', options, (own) => this.vm.reset(own));
  }

  disable(options?: DisksOptions): Promise<TrackingOutcome> {
    return within('disable', options, (own) => this.vm.disable(own));
  }

  forget(point: Parameters<Vm['forget']>[0], options?: DisksOptions): Promise<TrackingOutcome> {
    return within('forget', options, (own) => this.vm.forget(point, own));
  }

  undo(pit: string, options?: DisksOptions): Promise<TrackingOutcome> {
    return within('undo', options, (own) => this.vm.undo(pit, own));
  }

  async begin(options?: BeginVmOptions): Promise<Session> {
    return new BoundedSession(await within('begin', options, (own) => this.vm.begin(own)));
  }

  async resume(pit: string, options?: CallOptions): Promise<Session> {
    return new BoundedSession(await within('resume', options, (own) => this.vm.resume(pit, own)));
  }

  async qmp(command: string, args?: object, options?: CallOptions): Promise<unknown> {
    text(command, 'command');
    if (args !== undefined) plainObject(args, 'args');
    checkCall('qmp', options);
    return within('qmp', options, (own) => this.vm.qmp(command, args, own));
  }

  close(options?: CallOptions): Promise<void> {
    return closing('close', options, () => this.vm.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.vm[Symbol.asyncDispose]();
  }
}

class BoundedSession extends PassedSession implements Session {
  openDisk(disk: string, options?: CallOptions): Promise<TrackedDisk> {
    return within('openDisk', options, (own) => this.session.openDisk(disk, own));
  }

  openData(disk: string, options?: OpenDataOptions): Promise<DiskData> {
    return openBounded(options, (own) => this.session.openData(disk, own));
  }

  async check(disk?: string, options?: CallOptions): Promise<void> {
    if (disk !== undefined) text(disk, 'disk');
    return within('check', options, (own) => this.session.check(disk, own));
  }

  // An end that was begun can only be finished: a signal that has fired begins none.
  async commit(options?: EndSessionOptions): Promise<TrackingOutcome> {
    throwIfAborted(options?.signal);
    return within('commit', options, (own) => this.session.commit(own));
  }

  async rollback(options?: EndSessionOptions): Promise<TrackingOutcome> {
    throwIfAborted(options?.signal);
    return within('rollback', options, (own) => this.session.rollback(own));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session[Symbol.asyncDispose]();
  }
}
