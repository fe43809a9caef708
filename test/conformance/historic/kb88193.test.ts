/** KB 88193: a disk with tracking could not be attached to a VM without it.
 * Here: a disk that was tracked at rest starts in any VM, and shows that it is tracked. */

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { sequenceOf } from '../../helpers/states.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';
import { disks, startOn } from '../vsphere/support.js';

test('a tracked disk in a VM that knew nothing of it', async () => {
  const folder = await makeTemporaryFolder();
  try {
    const file = join(folder.path, 'd.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', file, '64M');
    await new ImageTracking([file]).enable();
    const { vm } = await startOn(folder.path);
    expect(vm.config.changeTrackingEnabled).toBe(true);
    expect(sequenceOf(disks(vm)[0]!.backing.changeId)).toBe(1);
  } finally {
    await folder.remove();
  }
});
