/** VDDK 8.0.2 on EL8: a bundled library asked for a libssl that was not there.
 * Here: the addon for bitmaps needs nothing but the C and C++ runtimes; libnbd is loaded only by who reads data. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('what the addon is linked to', async () => {
  const { stdout } = await promisify(execFile)('ldd', [
    fileURLToPath(new URL('../../../build/Release/bitmap.node', import.meta.url)),
  ]);
  const names = [...stdout.matchAll(/^\s*(\S+)/gm)].map(([, name]) =>
    name!.replace(/^.*\//, '').replace(/\.so.*/, ''),
  );
  expect(
    names.filter((name) => !/^(linux-vdso|libstdc\+\+|libm|libgcc_s|libc|ld-linux-.*)$/.test(name)),
  ).toEqual([]);
});
