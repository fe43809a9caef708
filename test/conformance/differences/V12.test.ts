/** docs/differences.md, V12. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { VimService } from '../../../lib/service/vim/vimService.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';
import { user } from '../../helpers/vim/service.js';
import { filterSpec, SoapClient } from '../../helpers/vim/soapClient.js';

test('V12: a VM that cannot be asked is disconnected, and why is told of each property', async () => {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const vms = [{ name: 'web', qmpSocket: join(folder.path, 'none.qmp') }];
  const users = [await user('root', 'admin')];
  const facade = connect({ vms, stateFolder: folder.path });
  const client = await SoapClient.login(new VimService(facade, { users: () => Promise.resolve(users) }));
  const spec = filterSpec('specSet', 'VirtualMachine', 'vm-1', [
    'name',
    'runtime.connectionState',
    'config.uuid',
  ]);
  const { text } = await client.ask('RetrieveProperties', 'PropertyCollector', 'ha-property-collector', spec);
  expect(text).toContain(
    '<name>runtime.connectionState</name><val xsi:type="VirtualMachineConnectionState">disconnected</val>',
  );
  expect(text).toMatch(/<missingSet><path>config.uuid<\/path><fault><fault xsi:type="InvalidState">/);
});
