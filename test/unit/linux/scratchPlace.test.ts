import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { firstRoomy, scratchPlace, scratchPlaces } from '../../../lib/linux/scratchPlace.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';

test('neither memory, nor the last room of a disk, nor what cannot be written to; what is named holds', async () => {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const disk = folder.path;
  expect(await firstRoomy(['/dev/shm', join(disk, 'gone'), disk], 1)).toBe(disk);
  expect(await firstRoomy(['/dev/shm', disk], 2 ** 60)).toBe('/dev/shm');
  const before = process.env['TMPDIR'];
  onTestFinished(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });
  process.env['TMPDIR'] = '/dev/shm';
  expect(await scratchPlace()).toBe('/dev/shm');
  expect(scratchPlaces()).toEqual(['/dev/shm', '/var/tmp']);
});
