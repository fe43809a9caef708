/**
 * `qemu-cbt serve --demo`: the service over two small VMs that are made for it, in a folder that goes when it ends. With rules of faults it is
 * the simulator that vendors of backup programs test against: no vCenter, real bitmaps, and what goes wrong in the field, on demand.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { invalidArgument } from '../core/errors.js';
import { connect } from '../facade/vsphere/serviceInstance.js';
import { idText, type VmEntry } from '../host/hostVm.js';
import { Inventory } from '../host/inventory.js';
import { onFile } from '../linux/fileFault.js';
import { HostService, type Started } from '../service/hostService.js';
import type { Log } from '../service/log.js';
import { hashPassword } from '../service/users/password.js';
import { writeUsers } from '../service/users/usersFile.js';
import { type FaultPlan, FaultRules, type Harm } from '../service/vim/faults/faultRules.js';
import { DemoMachine, DISK, drawing } from './demoMachine.js';
import { InTurn } from './inTurn.js';

const MIB = 1 << 20;
const SIZE = 64 * MIB;
export const DEMO_USER = 'demo';
/** What the password is, where a CI job is to know it. */
export const PASSWORD_VARIABLE = 'QEMU_CBT_DEMO_PASSWORD';
const LEAST_CHARACTERS = 8;

export interface DemoOptions {
  /** What is listened on: host and port, 0 for any that is free. */
  address: string;
  faults: FaultPlan;
  log: Log;
  env: Readonly<Record<string, string | undefined>>;
}

/** What a program needs to begin. */
export interface DemoStarted extends Pick<Started, 'url' | 'thumbprint'> {
  user: string;
  password: string;
  /** The first runs, and its disk changes all the time; the second is off. */
  vms: { name: string; moref: string }[];
}

/** The service, its VMs, and the folder of all of it. */
export class Demo {
  private constructor(
    readonly started: DemoStarted,
    readonly folder: string,
    readonly web: DemoMachine,
    readonly service: HostService,
    private readonly turns: InTurn,
  ) {}

  static async start({ address, faults, log, env }: DemoOptions): Promise<Demo> {
    const password = passwordOf(env);
    const folder = await onFile(tmpdir(), 'making a folder in it', () =>
      mkdtemp(join(tmpdir(), 'qemu-cbt-demo-')),
    );
    const { seed } = faults;
    const web = new DemoMachine({ folder, name: 'web', sizeBytes: SIZE, seed });
    try {
      const db = new DemoMachine({ folder, name: 'db', sizeBytes: SIZE, seed: seed + 1 });
      await db.create();
      await web.create();
      await web.start();
      web.run();
      const vms: VmEntry[] = [
        {
          ...entryOf('web', web),
          disks: [DISK],
          nbdSocket: web.nbdSocket,
          scratchFolder: folder,
          allowUnwatchedScratch: true,
        },
        entryOf('db', db),
      ];
      const [file, users] = [join(folder, 'host.yaml'), join(folder, 'users.json')];
      await writeFile(file, JSON.stringify({ vms, wires: { vim: { address, users } } }));
      await writeUsers(users, [{ name: DEMO_USER, role: 'admin', password: await hashPassword(password) }]);
      const stateFolder = join(folder, 'state');
      const turns = new InTurn();
      const harm = harming(web, vms, stateFolder);
      const rules = new FaultRules(faults, (what, name) => turns.run(() => harm(what, name)), drawing);
      const inventory = new Inventory({ file, env, stateFolder });
      const told: DemoStarted['vms'] = [];
      // One after the other: a VM is given its number when it is first asked for it.
      for (const vm of await inventory.vms()) told.push({ name: vm.name, moref: idText(await vm.id()) });
      const service = await HostService.start({ inventory, log, env, stateFolder, faults: rules });
      const { url, thumbprint } = service.started;
      return new Demo({ url, user: DEMO_USER, password, thumbprint, vms: told }, folder, web, service, turns);
    } catch (error) {
      await end(web, folder);
      throw error;
    }
  }

  /** Ends the service and the VMs; nothing of them is left. */
  async stop(): Promise<void> {
    await this.service.stop();
    // After what it still suffers, or that would start it again.
    await this.turns.run(() => end(this.web, this.folder));
  }
}

async function end(web: DemoMachine, folder: string): Promise<void> {
  await web.stop();
  await rm(folder, { recursive: true, force: true });
}

const entryOf = (name: string, { qmp, image }: DemoMachine): VmEntry => ({
  name,
  qmpSocket: qmp,
  images: { [DISK]: image },
});

function passwordOf(env: DemoOptions['env']): string {
  const said = env[PASSWORD_VARIABLE];
  if (said === undefined || said === '') return randomBytes(12).toString('base64url');
  if (said.length >= LEAST_CHARACTERS) return said;
  throw invalidArgument(PASSWORD_VARIABLE, '…', `at least ${LEAST_CHARACTERS} characters`);
}

/** What the VM that runs suffers, by another program on this machine or by itself; of one that is off only its snapshots go. */
function harming(web: DemoMachine, vms: readonly VmEntry[], stateFolder: string) {
  return async (harm: Harm, name: string | null): Promise<void> => {
    if (harm === 'removeSnapshots') {
      const vm = await connect({ vms: [...vms], stateFolder }).findVm(name ?? 'web');
      await vm?.RemoveAllSnapshots_Task().wait();
      return;
    }
    if ((name ?? 'web') !== 'web') return;
    if (harm === 'crash') await web.crash();
    if (harm === 'loseBitmap') await web.loseBitmap();
    if (harm === 'newEpoch') await web.newEpoch();
    if (harm === 'resize') await web.grow();
  };
}
