/** docs/differences.md, X10. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { connect, makeImage, path, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();
const program = process.env['QEMU_IMG'];
afterEach(() => {
  if (program === undefined) delete process.env['QEMU_IMG'];
  else process.env['QEMU_IMG'] = program;
});

test('X10: damage that is found is said; damage that a repair leaves is a failure', async () => {
  const file = await makeImage('a.qcow2');
  const connection = await connect();
  const log: string[] = [];
  vix.VixDiskLib_InitEx(8, 0, (line) => log.push(line));
  // A qemu-img that finds the same errors whatever it repaired.
  const tool = path('qemu-img');
  await writeFile(
    tool,
    `#!/bin/sh\ncase "$1" in check) echo "ERROR cluster 5" >&2; exit 2;; *) exec ${program ?? '/usr/bin/qemu-img'} "$@";; esac\n`,
  );
  await chmod(tool, 0o755);
  process.env['QEMU_IMG'] = join(tool);
  expect(await vix.VixDiskLib_CheckRepair(connection, file, false)).toBe(vix.VIX_OK);
  expect(log.join()).toContain('ERROR cluster 5');
  expect(await vix.VixDiskLib_CheckRepair(connection, file, true)).toBe(vix.VIX_E_DISK_CANTREPAIR);
});
