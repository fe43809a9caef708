/**
 * A domain whose overlays libvirt puts on and takes off in any order, while its guest writes and backups are taken. A copy that takes from each
 * session only what it says changed has to be the disk, and no question may miss a write.
 */
import { chmod, mkdir } from 'node:fs/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CbtError, openVm, type Vm } from '../../../../lib/index.js';
import { runs } from '../../../helpers/effort.js';
import { LibvirtDaemon } from '../../../helpers/libvirtDaemon.js';
import { qemuImg } from '../../../helpers/qemuTools.js';
import { SEED } from '../../../helpers/seed.js';

const GRANULE = 65_536;
const GRANULES = 16;
const VDA = 'virtio-disk0';
let daemon: LibvirtDaemon;

beforeAll(async () => {
  daemon = await LibvirtDaemon.start();
  await mkdir(daemon.file('images'));
  await chmod(daemon.file('images'), 0o777);
});
afterAll(() => daemon?.[Symbol.asyncDispose]());

/** A domain with one disk, what its guest wrote there, and a copy kept by backups. */
class Life {
  /** What each granule holds. */
  readonly guest = new Array<number>(GRANULES).fill(0);
  copy: number[] = [];
  base: string | undefined;
  readonly taken: { pit: string; contents: readonly number[] }[] = [];
  readonly verdicts: string[] = [];
  /** Top first. */
  files: string[];
  #serial = 0;

  constructor(
    readonly name: string,
    public vm: Vm,
    image: string,
  ) {
    this.files = [image];
  }

  static async start(name: string): Promise<Life> {
    const image = daemon.file(`images/${name}.qcow2`);
    await qemuImg('create', '-q', '-f', 'qcow2', image, String(GRANULES * GRANULE));
    await daemon.define(name, [{ target: 'vda', file: image }]);
    await daemon.virsh('start', name);
    return new Life(name, await openVm({ address: daemon.address(name) }), image);
  }

  /** A backup of its images, while it is off. */
  async backupOff(): Promise<void> {
    await this.#become('destroy', this.name, '--graceful');
    expect(this.vm.running).toBe(false);
    await this.backup(false);
    await this.check();
    await this.#become('start', this.name);
  }

  async saveAndRestore(): Promise<void> {
    const file = daemon.file(`${this.name}.save`);
    await daemon.virsh('save', this.name, file);
    await this.#become('restore', file);
  }

  /** Another run of the domain is another connection. */
  async #become(...how: string[]): Promise<void> {
    await this.vm.close();
    await daemon.virsh(...how);
    this.vm = await openVm({ address: daemon.address(this.name) });
  }

  newFile(): string {
    this.#serial += 1;
    return daemon.file(`images/${this.name}-${this.#serial}.qcow2`);
  }

  async write(granule: number): Promise<void> {
    this.#serial += 1;
    const value = (this.#serial % 255) + 1;
    await daemon.guestIo(this.name, VDA, `write -P ${value} ${granule * GRANULE} ${GRANULE}`);
    this.guest[granule] = value;
  }

  /** `fails`: the backup is given up. */
  async backup(fails: boolean): Promise<void> {
    const session = await this.vm.begin(this.base === undefined ? {} : { base: this.base });
    const contents = [...this.guest];
    const [disk] = session.disks;
    this.verdicts.push(disk?.verdict ?? 'none');
    // What is written from here on is not of the instant.
    if (this.vm.running) await this.write(contents.length - 1);
    await using data = await session.openData('vda');
    const copied = [...this.copy];
    for (const granule of disk?.verdict === 'full'
      ? contents.keys()
      : await this.#changed(session, String(disk?.base)))
      copied[granule] = (await data.read(granule * GRANULE, 512))[0]!;
    expect(copied, `${this.base} to ${session.pit}`).toEqual(contents);
    await data.close();
    if (fails) {
      await session.rollback();
      return;
    }
    await session.commit();
    [this.copy, this.base] = [copied, session.pit];
    this.taken.push({ pit: session.pit, contents });
  }

  async #changed(of: Pick<Vm, 'openDisk'>, from: string, to?: string): Promise<Set<number>> {
    await using disk = await of.openDisk('vda');
    const found = new Set<number>();
    for await (const { offset, length } of await disk.changes({
      from,
      ...(to !== undefined && { to }),
    }))
      for (let at = offset; at < offset + length; at += GRANULE) found.add(at / GRANULE);
    return found;
  }

  /** Every two points, and each up to now; says how many were answered. */
  async check(): Promise<number> {
    let answered = 0;
    for (const [index, from] of this.taken.entries())
      for (const to of [...this.taken.slice(index + 1), { pit: undefined, contents: this.guest }]) {
        const found = await this.#changed(this.vm, from.pit, to.pit).catch((error: unknown) => {
          if (error instanceof CbtError && error.recovery === 'full') return null;
          throw error;
        });
        if (found === null) continue;
        answered += 1;
        const missed = to.contents.flatMap((value, at) =>
          value === from.contents[at] || found.has(at) ? [] : at,
        );
        expect(missed, `${from.pit} to ${to.pit}`).toEqual([]);
      }
    return answered;
  }
}

type Step = { do: string; at: number };

/** What is no step of this disk now is none. */
async function take(life: Life, { do: what, at }: Step): Promise<void> {
  const { name, files } = life;
  const last = files.length - 1;
  const top = at % files.length;
  const virsh = (...args: string[]): Promise<string> => daemon.virsh(...args);
  if (what === 'write') await life.write(at % (GRANULES - 1));
  else if (what === 'backup' || what === 'failed') await life.backup(what === 'failed');
  else if (what === 'backup off') await life.backupOff();
  else if (what === 'snapshot' && last < 3) {
    const file = life.newFile();
    const spec = ['--diskspec', `vda,file=${file}`];
    await virsh('snapshot-create-as', name, `s${file.length}`, '--disk-only', '--no-metadata', ...spec);
    files.unshift(file);
  } else if (what === 'commit' && top < last) {
    const from = ['--top', files[top]!, '--base', files[top + 1]!];
    await virsh('blockcommit', name, 'vda', ...(top === 0 ? ['--active', '--pivot'] : []), ...from, '--wait');
    files.splice(top, 1);
  } else if (what === 'pull' && last > 0) {
    const all = at % 2 === 0 || last === 1;
    await virsh('blockpull', name, 'vda', ...(all ? [] : ['--base', files[last]!]), '--wait');
    files.splice(1, all ? last : last - 1);
  } else if (what === 'save') await life.saveAndRestore();
}

/** Whole overlays that come and go, as products take them and delete them again. */
const PLAIN: readonly Step[] = [
  ...['snapshot', 'write', 'backup', 'failed', 'write', 'backup', 'commit', 'backup', 'backup'],
  ...['snapshot', 'write', 'backup off', 'write', 'backup', 'pull', 'backup'],
].map((what) => ({ do: what, at: 0 }));

test('no write is missed, and while whole overlays come and go no backup but the first is full', async () => {
  const life = await Life.start('web');
  await life.backup(false);
  for (const one of PLAIN) await take(life, one);
  expect(life.verdicts).toEqual(['full', ...life.verdicts.slice(1).map(() => 'incremental')]);
  expect(await life.check()).toBeGreaterThan(0);

  const step = fc.record({
    do: fc.constantFrom(
      'write',
      'write',
      'backup',
      'backup',
      'failed',
      'snapshot',
      'snapshot',
      'commit',
      'pull',
      'save',
    ),
    at: fc.nat(100),
  });
  const count = runs(8);
  const random = fc.array(step, { minLength: count, maxLength: count });
  for (const one of fc.sample(random, { numRuns: 1, seed: SEED })[0] ?? []) await take(life, one);
  await life.backup(false);
  await life.check();
  await life.vm.close();
});
