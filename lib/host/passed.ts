/** A VM and a session that pass on what they are of another: what is told of it beside its calls. */
import { Diff, type DiffOptions } from '../core/diff.js';
import type { CbtError } from '../core/errors.js';
import type { Session, SessionDisk } from '../core/session.js';
import type { Vm } from '../core/vm.js';

export abstract class PassedVm implements Pick<Vm, 'key' | 'running' | 'lost'> {
  constructor(protected readonly vm: Vm) {}

  get key(): string {
    return this.vm.key;
  }

  get running(): boolean {
    return this.vm.running;
  }

  get lost(): AbortSignal {
    return this.vm.lost;
  }
}

export abstract class PassedSession
  implements Pick<Session, 'pit' | 'mode' | 'disks' | 'warnings' | 'broken' | 'signal' | 'diff'>
{
  constructor(protected readonly session: Session) {}

  get pit(): string {
    return this.session.pit;
  }

  get mode(): Session['mode'] {
    return this.session.mode;
  }

  get disks(): readonly SessionDisk[] {
    return this.session.disks;
  }

  get warnings(): readonly string[] {
    return this.session.warnings;
  }

  get broken(): CbtError | null {
    return this.session.broken;
  }

  get signal(): AbortSignal {
    return this.session.signal;
  }

  /** Through the calls of this session, and not past them. */
  diff(disk: string, options: DiffOptions): Diff {
    return new Diff(this as unknown as Session, disk, options);
  }
}
