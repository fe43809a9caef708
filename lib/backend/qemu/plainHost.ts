/** Where a QEMU runs of which nothing is seen but that it answers: on this machine, with our files. */
import { chmod, lstat, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CbtError, invalidArgument } from '../../core/errors.js';
import type { SessionMode } from '../../core/session.js';
import { onFile } from '../../linux/fileFault.js';
import { scratchPlace, scratchPlaces } from '../../linux/scratchPlace.js';
import type { WaitOptions } from '../../linux/waiting.js';
import type { FreezeOptions, FrozenResult } from './guest/frozenWork.js';
import { thawLeft, withFrozenGuest } from './guest/guestFreeze.js';
import { OWN_MODE } from './own/folderMark.js';
import type { QemuHost, RecordedVm } from './qemuHost.js';

export class PlainHost implements QemuHost {
  get confinedBy(): string | null {
    return null;
  }

  constructor(
    readonly key: string,
    readonly address: string = key,
  ) {}

  async isOf(record: RecordedVm): Promise<boolean> {
    return (record.key ?? record.vm) === this.key;
  }

  async namesOfDevices(
    _devices: readonly string[],
    _options?: WaitOptions,
  ): Promise<ReadonlyMap<string, string>> {
    return new Map();
  }

  async definition(_options?: WaitOptions): Promise<string | null> {
    return null;
  }

  async riskOfTracking(_options?: WaitOptions): Promise<string | null> {
    return null;
  }

  async refuseMode(_mode: SessionMode): Promise<void> {}

  async isAnothersServer(_socket: string): Promise<boolean> {
    return false;
  }

  /**
   * Scratch files go to the folder that the system has for such; of a QEMU that is confined to the one that its rules are written for. Overlays go beside the first disk's image, because what the guest
   * writes to them must outlive a restart of the machine.
   */
  async placeFor(
    mode: SessionMode | 'questions',
    disks: readonly { readonly filename: string }[],
  ): Promise<string> {
    // A socket, which needs no room: a container may share /tmp with us and not the other place.
    if (mode === 'questions') return tmpdir();
    if (mode === 'fleece') return this.confinedBy === null ? scratchPlace() : tmpdir();
    const image = disks[0]?.filename ?? '';
    const seen = image.startsWith('/') ? await stat(image).catch(() => null) : null;
    if (seen?.isFile()) return path.dirname(image);
    throw new CbtError(
      'ERR_CBT_INVALID_ARGUMENT',
      `overlay mode needs a folder that outlives a restart of the machine, and ${JSON.stringify(image)} is no image file beside which to put one: name it (--scratch)`,
      { details: { image } },
    );
  }

  async placesToSearch(_signal?: AbortSignal): Promise<string[]> {
    return scratchPlaces();
  }

  async own(folder: string): Promise<void> {
    await onFile(folder, 'making it ours alone', () => chmod(folder, OWN_MODE));
  }

  async freeBytes(folder: string): Promise<number> {
    const { bavail, bsize } = await onFile(folder, 'asking for its free space', () => statfs(folder));
    return bavail * bsize;
  }

  async firstClosed(_folder: string): Promise<{ folder: string; uid: number } | null> {
    return null;
  }

  async has(file: string): Promise<boolean> {
    return (await lstat(file).catch(() => null)) !== null;
  }

  async pathsOf(_names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return new Map();
  }

  async isReplaced(_file: string): Promise<boolean> {
    return false;
  }

  async whileFrozen<T>(
    agent: string,
    work: (stop: AbortSignal, frozenFileSystems: number) => Promise<T>,
    options?: FreezeOptions,
  ): Promise<FrozenResult<T>> {
    return withFrozenGuest(agent, work, options);
  }

  agentAddress(socket: string | undefined): string {
    if (socket === undefined)
      throw invalidArgument('quiesce.agentSocket', socket, 'the socket of the guest agent');
    return path.resolve(socket);
  }

  thawLeft(agent: string, signal?: AbortSignal): Promise<boolean> {
    return thawLeft(agent, signal);
  }

  async otherJob(_signal?: AbortSignal): Promise<string | null> {
    return null;
  }
}
