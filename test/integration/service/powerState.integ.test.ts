/** Name and power state of many VMs: asked without a look at their disks, and never told of one that may run elsewhere. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';
import { serve } from '../../helpers/vim/service.js';
import { filterSpec, SoapClient } from '../../helpers/vim/soapClient.js';

test('a VM that is off is told as off, whatever is on its disks; one whose image somebody has open is not', async () => {
  const temporary = await makeTemporaryFolder();
  onTestFinished(() => temporary.remove());
  const at = (name: string): string => join(temporary.path, name);
  for (const name of ['whole', 'held']) await qemuImg('create', '-q', '-f', 'qcow2', at(name), '8M');
  await writeFile(at('damaged'), `QFI\xfb${'x'.repeat(4000)}`, 'latin1');
  const daemon = await StorageDaemon.start({ disks: [{ node: 'd', file: at('held') }] });
  onTestFinished(() => daemon[Symbol.asyncDispose]());
  await daemon.exportWritable('d');
  const vms = ['whole', 'damaged', 'held'].map((name) => ({
    name,
    qmpSocket: at(`${name}.qmp`),
    images: { vda: at(name) },
  }));
  const { service } = await serve(connect({ vms, stateFolder: at('state') }));
  const client = await SoapClient.login(service);
  const ask = async (paths: string[]): Promise<string[][]> => {
    const down =
      '<skip>1</skip><selectSet xsi:type="TraversalSpec"><type>Folder</type><path>childEntity</path></selectSet>';
    const spec = filterSpec('specSet', 'VirtualMachine', 'ha-folder-vm', paths, down).replace(
      '<obj type="VirtualMachine">',
      '<obj type="Folder">',
    );
    const told = await client.ask('RetrieveProperties', 'PropertyCollector', 'ha-property-collector', spec);
    return told.values.map(({ children }) =>
      children
        .filter(({ name }) => name === 'propSet' || name === 'missingSet')
        .map(({ children: [first, second] }) => `${first!.text} ${second!.text}`.trim()),
    );
  };
  const wanted = ['name', 'runtime.powerState', 'runtime.connectionState'];
  const told = (name: string, connection: string): string[] => [
    `name ${name}`,
    'runtime.powerState poweredOff',
    `runtime.connectionState ${connection}`,
  ];
  expect(await ask(wanted)).toEqual([
    told('whole', 'connected'),
    told('damaged', 'connected'),
    told('held', 'disconnected'),
  ]);
  // Asked for more, the same call shows the same of all of it: what is damaged is named.
  const [whole, damaged] = await ask(['config.changeTrackingEnabled', 'runtime.connectionState']);
  expect(whole).toEqual(['config.changeTrackingEnabled false', 'runtime.connectionState connected']);
  expect(damaged).toEqual(['runtime.connectionState disconnected', 'config.changeTrackingEnabled']);
}, 60_000);
