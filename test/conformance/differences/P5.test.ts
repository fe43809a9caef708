/** docs/differences.md, P5. */
import { expect, test } from 'vitest';
import { KIB64, makeImage, open, prl, useLibrary } from '../parallels/support.js';

useLibrary();

test('P5: the last granule reads whole, past the end as zeros', async () => {
  const { file } = await makeImage([[[KIB64, 1024]]], KIB64 + 1024);
  const disk = await open(file);
  const buffer = Buffer.alloc(KIB64, 1);
  expect(await prl.PrlDisk_Read(disk, buffer, KIB64, 128)).toBe(0);
  expect([buffer[0], buffer[1023], buffer[1024], buffer.at(-1)]).toEqual([0xcd, 0xcd, 0, 0]);
  expect(await prl.PrlDisk_Read(disk, buffer, KIB64, 129)).toBe(prl.PRL_ERR_DISK_READ_OUT_DISK);
  expect(await prl.PrlDisk_Read(disk, buffer, 512, 130)).toBe(prl.PRL_ERR_DISK_READ_OUT_DISK);
});
