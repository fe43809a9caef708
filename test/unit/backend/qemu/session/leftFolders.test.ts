import { mkdir, readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findSessionFolders } from '../../../../../lib/backend/qemu/session/leftFolders.js';
import { FILE_FAULTS, fileFaults } from '../../../../helpers/fileFaults.js';
import { withFolder } from '../../../../helpers/qemuTools.js';

test.each(FILE_FAULTS)('%s: an old folder that cannot be looked at is passed over, and stays', (code) =>
  withFolder(async (parent) => {
    const theirs = join(parent, 'cbt-BBBBBB');
    await mkdir(theirs, { mode: 0o700 });
    await utimes(theirs, 0, 0);
    const fault = await fileFaults(code);
    let calls = 0;
    let n = 0;
    do {
      const armed = fault(++n);
      try {
        expect(await findSessionFolders([parent])).toEqual([]);
      } finally {
        calls = armed.end();
      }
      expect(await readdir(parent)).toEqual(['cbt-BBBBBB']);
    } while (calls >= n);
  }),
);
