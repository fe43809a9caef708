/** What one call sees: whoever is slow to tell is asked no more than that takes. */
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { connect, type VirtualMachine } from '../../../../lib/facade/vsphere/index.js';
import { WireInventory } from '../../../../lib/service/vim/inventory/inventory.js';
import { PLACES } from '../../../../lib/service/vim/inventory/places.js';
import { Reading } from '../../../../lib/service/vim/reading.js';
import { makeTemporaryFolder } from '../../../helpers/temporaryFolder.js';
import { user } from '../../../helpers/vim/service.js';

async function makeReading(): Promise<Reading> {
  return new Reading({ user: await user('reader', 'read'), info: {} }, () => []);
}

test('the VMs are listed once for all that a call reads, and anew for the next', async () => {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const vms = ['web', 'db'].map((name) => ({ name, qmpSocket: join(folder.path, `${name}.qmp`) }));
  const facade = connect({ vms, stateFolder: join(folder.path, 'state') });
  const listing = vi.spyOn(facade, 'vms');
  const inventory = new WireInventory(facade, '');
  const readAll = async (reading: Reading): Promise<unknown[]> => {
    const found: unknown[] = [];
    for (const [place, property] of [
      [PLACES.vmFolder, 'childEntity'],
      [PLACES.host, 'vm'],
      [PLACES.datastore, 'vm'],
      [PLACES.pool, 'vm'],
    ] as const)
      found.push(await (await inventory.find(place, reading.session))!.read(property, reading));
    return found;
  };
  const named = expect.arrayContaining([
    expect.objectContaining({ name: 'web' }),
    expect.objectContaining({ name: 'db' }),
  ]);
  expect(await readAll(await makeReading())).toEqual([named, named, named, named]);
  expect(listing).toHaveBeenCalledTimes(1);
  await readAll(await makeReading());
  expect(listing).toHaveBeenCalledTimes(2);
});

test('a VM without an agent is not even asked whether it runs', async () => {
  const readRuntime = vi.fn(() => Promise.resolve({ powerState: 'poweredOn' }));
  const vm = { entry: { name: 'web', qmpSocket: '/run/web.qmp' }, readRuntime } as unknown as VirtualMachine;
  expect(await (await makeReading()).guest(vm)).toBeNull();
  expect(readRuntime).not.toHaveBeenCalled();
});
