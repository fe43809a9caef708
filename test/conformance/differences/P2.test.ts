/** docs/differences.md, P2. */
import { expect, test } from 'vitest';
import { KIB64, makeImage, open, prl, ref, useLibrary } from '../parallels/support.js';

useLibrary();

test('P2: the disk’s parameters are an object', async () => {
  const { file } = await makeImage();
  const info = ref<prl.PRL_DISK_PARAMETERS>();
  expect(prl.PrlDisk_GetDiskInfo(await open(file), info, ref(4096))).toBe(0);
  expect(info.value?.m_Storages).toEqual([{ m_Type: 100, m_Start: 0, m_Size: 64 * KIB64, m_FileName: file }]);
});
