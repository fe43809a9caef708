/** Names brought to stable storage, or a coded error. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { syncFolder } from '../../../lib/linux/stable.js';
import { withFolder } from '../../helpers/qemuTools.js';

test('a folder that cannot be opened is a coded error with its path', () =>
  withFolder(async (folder) => {
    await syncFolder(folder);
    const path = join(folder, 'none');
    await expect(syncFolder(path)).rejects.toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      details: { path, errno: 'ENOENT' },
    });
  }));
