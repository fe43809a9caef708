/** An overlay that no record tells of: what it stands on is read from its own header, and what cannot be seen is never "nothing". */

import * as fs from 'node:fs/promises';
import { chmod, chown, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { requireNoWaitingOverlay } from '../../../lib/host/waitingOverlay.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

vi.mock('node:fs/promises', { spy: true });

let folder: TemporaryFolder;
let image: string;
/** Where sessions put their files. */
let scratch: string;
let session: string;
let overlay: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await mkdir(join(folder.path, 'images'));
  image = join(folder.path, 'images', 'a.qcow2');
  scratch = join(folder.path, 'scratch');
  session = join(scratch, 'cbt-AbCdEf');
  overlay = join(session, 'overlay-0.qcow2');
  await mkdir(scratch);
  await mkdir(session, { mode: 0o700 });
  await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', image, '-F', 'qcow2', overlay);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.mocked(fs.lstat).mockRestore();
  await folder.remove();
});

const look = (): Promise<void> => requireNoWaitingOverlay([image], [scratch]);
const begin = () => new ImageTracking([image], { scratchPlaces: [scratch] }).begin();

test('without qemu-img it is found all the same', async () => {
  vi.stubEnv('QEMU_IMG', join(folder.path, 'none'));
  expect(await refusalOf(begin())).toMatchObject({
    reason: 'BUSY',
    message: expect.stringMatching(/stands on .*a\.qcow2.*qemu-img commit.*or remove/),
  });
});

test('one that cannot be opened is told with what to do, and not passed over', async () => {
  const { lstat } = await vi.importActual<typeof fs>('node:fs/promises');
  const denied = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES', syscall: 'open' });
  vi.mocked(fs.lstat).mockImplementation((async (path: string) => {
    if (path === overlay) throw denied;
    return lstat(path);
  }) as typeof fs.lstat);
  expect(await refusalOf(look())).toMatchObject({
    reason: 'BUSY',
    message: expect.stringMatching(/overlay-0\.qcow2 may stand on .*a\.qcow2.*EACCES.*or remove/),
  });
});

test('one of another image, and what is no overlay, keeps nothing away', async () => {
  const other = join(folder.path, 'other.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', other, '16M');
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', other, '-F', 'qcow2', overlay);
  await look();
  await writeFile(overlay, 'no image');
  await look();
});

describe.runIf(process.geteuid?.() === 0)('where others may make folders', () => {
  /** Another user's, in a place like /tmp that has another name. */
  const STRANGER = 12_345;
  beforeEach(async () => {
    await chmod(scratch, 0o1777);
    await chown(session, STRANGER, STRANGER);
    await chown(overlay, STRANGER, STRANGER);
  });

  test('a stranger’s overlay that names our image keeps nothing away', async () => {
    await look();
    expect(await begin()).toMatchObject({ disks: [{ disk: image }] });
  });

  test('nor does one that leads elsewhere', async () => {
    const real = join(folder.path, 'real.qcow2');
    await copyFile(overlay, real);
    await rm(overlay);
    await fs.symlink(real, overlay);
    await look();
  });

  test('that of the image’s own owner does', async () => {
    await chown(image, STRANGER, STRANGER);
    expect(await refusalOf(look())).toMatchObject({ reason: 'BUSY' });
  });

  test('in a place that is ours alone it does, whoever has the folder', async () => {
    await chmod(scratch, 0o711);
    expect(await refusalOf(look())).toMatchObject({ reason: 'BUSY' });
  });
});
