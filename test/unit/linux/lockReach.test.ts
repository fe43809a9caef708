import { expect, test } from 'vitest';
import { locksMayStayHere, nfsCarriesLocks } from '../../../lib/linux/lockReach.js';
import { withFolder } from '../../helpers/qemuTools.js';

const mount = (options: string) =>
  `22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n77 22 0:45 / /mnt rw shared:9 - nfs4 server:/x ${options}\n`;

test.each([
  ['rw,vers=4.2,local_lock=none,addr=192.0.2.1', true],
  ['rw,vers=3,nolock,addr=192.0.2.1', false],
  ['rw,vers=3,local_lock=flock', false],
  ['rw,vers=3,local_lock=all,addr=192.0.2.1', false],
  ['rw,vers=3,local_lock=posix', true],
])('NFS with %s: %s', (options, carries) => {
  expect(nfsCarriesLocks(mount(options), '0:45')).toBe(carries);
});

test('a mount that is not listed carries nothing that is known', () => {
  expect(nfsCarriesLocks(mount('rw'), '0:46')).toBe(false);
});

test('on a disk of this machine every lock is seen', () =>
  withFolder(async (folder) => {
    expect(await locksMayStayHere(folder)).toBe(false);
    expect(await locksMayStayHere('/dev/shm')).toBe(false);
  }));
