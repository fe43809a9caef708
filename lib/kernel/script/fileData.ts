/**
 * Data of a raw file without SEEK_DATA, which Node does not have: all of the file counts as data. A superset of the truth;
 * only the native kernel can see holes.
 */
import { fstat } from 'node:fs';
import { promisify } from 'node:util';
import { checkWindow, type RangePage, type Window } from '../../core/rangePage.js';
import { checkFd, ioFailure } from './fileReader.js';
import { PageBuilder } from './levels.js';
import { Pace } from './pace.js';

const statOf = promisify(fstat);

export async function scanFileData(fd: number, window: Window): Promise<RangePage> {
  checkWindow(window);
  checkFd('fd', fd);
  const pace = new Pace(window.signal);
  const page = new PageBuilder(window);
  let stat: Awaited<ReturnType<typeof statOf>>;
  try {
    stat = await statOf(fd);
  } catch (cause) {
    throw ioFailure('asking for the size of the file', cause);
  }
  pace.check();
  // Only a regular file says its size here: a block device says 0, and may hold data anywhere.
  const endBytes = stat.isFile() ? stat.size : window.endBytes;
  if (endBytes > 0) {
    page.level(0, true);
    page.level(endBytes, false);
  }
  return page.finish();
}
