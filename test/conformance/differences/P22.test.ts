/** docs/differences.md, P22. */
import { expect, test } from 'vitest';
import { handleOf, prl, ref, serverOf, useLibrary } from '../parallels/support.js';

useLibrary();

test('P22: the text of a VM has its name and its UUID, and nothing else', async () => {
  const uuid = '12345678-1234-4234-8234-123456789abc';
  const server = await serverOf([{ name: 'web', uuid, qmpSocket: '/w', scratchFolder: '/var/tmp' }]);
  const vm = await handleOf(prl.PrlSrv_GetVmListEx(server, prl.PVTF_VM | prl.PGVLF_GET_NET_INFO));
  const text = ref<string>();
  expect(prl.PrlHandle_ToString(vm, text)).toBe(0);
  expect(text.value).toBe(
    `<ParallelsVirtualMachine><Identification><VmUuid>{${uuid}}</VmUuid><VmName>web</VmName></Identification></ParallelsVirtualMachine>`,
  );
});
