import { link, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findOffDisk } from '../../../lib/host/offNames.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';

const disk = (name: string, path: string) => ({ disk: name, path, known: {} });

test('a name is looked for word for word before it is taken for another form of one; two are refused with both', async () => {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const [a, b, c, hard] = ['a', 'b', 'c', 'hard'].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const path of [a, b, c]) await writeFile(path, path);
  await link(c, hard);
  const soft = join(folder.path, 'soft');
  await symlink(a, soft);
  // One is called as another's image.
  const disks = [disk('vda', a), disk(a, b), disk('vdc', c), disk('vdd', hard), disk('net', '')];
  const found = async (name: string) => (await findOffDisk(disks, name)).disk;
  expect(await found('vda')).toBe('vda');
  expect(await found(a)).toBe(a);
  expect(await found(b)).toBe(a);
  expect(await found(soft)).toBe('vda');
  expect(await found(relative(process.cwd(), a))).toBe('vda');
  expect([await found(c), await found(hard)]).toEqual(['vdc', 'vdd']);
  const [message, nobody] = [
    `"${relative(process.cwd(), c)}" fits 2 disks: vdc (${c}); vdd (${hard})`,
    expect.stringContaining(`vda, ${a}, vdc, vdd, net`),
  ];
  expect(await refusalOf(findOffDisk(disks, relative(process.cwd(), c)))).toMatchObject({
    code: 'ERR_CBT_INVALID_ARGUMENT',
    message,
  });
  for (const name of ['vdx', join(folder.path, 'gone')])
    expect(await refusalOf(findOffDisk(disks, name))).toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
      message: nobody,
    });
});
