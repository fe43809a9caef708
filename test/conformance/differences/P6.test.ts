/** docs/differences.md, P6. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { makeImage, open, prl, useLibrary } from '../parallels/support.js';

useLibrary();

test('P6: what was flushed is in the file', async () => {
  const { file } = await makeImage([[]]);
  const disk = await open(file, prl.PRL_DISK_DEFAULT);
  const marker = Buffer.alloc(512, 'flushed!');
  expect(await prl.PrlDisk_Write(disk, marker, 512, 0)).toBe(0);
  expect(await prl.PrlDisk_FlushCache(disk)).toBe(0);
  expect(readFileSync(file).includes(marker)).toBe(true);
});
