/** docs/differences.md, P23. */
import { expect, test } from 'vitest';
import { codeOf, prl, ref, serverOf, TWO_VMS, useLibrary } from '../parallels/support.js';

useLibrary();

test('P23: a handler is told of ends of jobs, and of nothing else', async () => {
  const server = await serverOf(TWO_VMS);
  const types: unknown[] = [];
  prl.PrlSrv_RegEventHandler(
    server,
    (event) => {
      const type = ref<number>();
      prl.PrlHandle_GetType(event, type);
      types.push(type.value);
      return 0;
    },
    null,
  );
  await codeOf(prl.PrlSrv_GetVmList(server));
  await codeOf(prl.PrlSrv_Logoff(server));
  expect(types).toEqual([prl.PHT_JOB, prl.PHT_JOB]);
});
