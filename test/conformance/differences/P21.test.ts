/** docs/differences.md, P21. */
import { expect, test } from 'vitest';
import { makeImage, open, prl, ref, useLibrary } from '../parallels/support.js';

useLibrary();

test('P21: the structures of a disk have names of their own for some fields', async () => {
  const { file } = await makeImage();
  const disk = await open(file);
  const info = ref<prl.PRL_DISK_PARAMETERS>();
  expect(prl.PrlDisk_GetDiskInfo(disk, info, ref(4096))).toBe(0);
  expect(info.value).toMatchObject({ m_Uuid: expect.any(String), m_Name: expect.any(String) });
  expect(Object.keys(info.value?.m_Storages[0] ?? {})).toEqual(['m_Type', 'm_Start', 'm_Size', 'm_FileName']);
  await prl.PrlDisk_Free(disk);
});
