import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { removeFolder } from '../../../../../lib/backend/qemu/session/teardown.js';
import { CbtError } from '../../../../../lib/core/errors.js';
import { atEveryStep } from '../../../../helpers/atEveryStep.js';
import { fileFaults } from '../../../../helpers/fileFaults.js';
import { withFolder } from '../../../../helpers/qemuTools.js';

const RECORD = ['owner.lock', 'session.json'];

test.each([
  ['EIO', true],
  ['EIO', false],
  ['EACCES', true],
  ['EACCES', false],
] as const)(
  '%s: a session’s record stays beside what could not be removed (overlays go: %s)',
  (code, overlays) =>
    withFolder(async (parent) => {
      let count = 0;
      const met = await atEveryStep(
        await fileFaults(code),
        async () => {
          count += 1;
          const folder = join(parent, `cbt-${count}`);
          await mkdir(folder);
          for (const name of [...RECORD, 'scratch-0.qcow2', 'overlay-0.qcow2', 'overlay-0.json'])
            await writeFile(join(folder, name), '');
          return folder;
        },
        (folder) => removeFolder(folder, { overlays }),
        async ({ world: folder, error }) => {
          if (error !== undefined) expect(error).toBeInstanceOf(CbtError);
          const left = await readdir(folder).catch(() => []);
          // The lock goes last, and never before what it guards.
          if (left.some((name) => /overlay|scratch/.test(name)))
            expect(left).toEqual(expect.arrayContaining(RECORD));
          await removeFolder(folder, { overlays: true });
          expect(await readdir(parent)).toEqual([]);
        },
      );
      expect(met).toBeGreaterThan(1);
    }),
);
