/** docs/differences.md, V16. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { VimService } from '../../../lib/service/vim/vimService.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';
import { user } from '../../helpers/vim/service.js';
import { SoapClient } from '../../helpers/vim/soapClient.js';

test('V16: what a host keeps beside its VMs is asked for, and is empty', async () => {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const facade = connect({ vms: [], stateFolder: join(folder.path, 'state') });
  const root = await user('root', 'admin');
  const client = await SoapClient.login(new VimService(facade, { users: async () => [root] }));
  for (const [method, type, value, inner] of [
    ['QueryEvents', 'EventManager', 'ha-eventmgr', '<filter/>'],
    ['QueryOptions', 'OptionManager', 'HostAgentSettings', ''],
    ['QueryPerfCounter', 'PerformanceManager', 'ha-perfmgr', '<counterId>1</counterId>'],
  ] as const) {
    const { fault, values } = await client.ask(method, type, value, inner);
    expect([method, fault, values]).toEqual([method, null, []]);
  }
});
