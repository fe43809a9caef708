import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlResult_GetParamByIndexAsString', () => {
  test('of a VM it is XML with its name and UUID; past the last there is none', async () => {
    prl.configureLocalServer([
      { name: 'a', qmp: '/a' },
      { name: 'b & <c>', uuid: '12345678-1234-4234-8234-123456789ABC', qmp: '/b' },
    ]);
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)));
    const job = prl.PrlSrv_GetVmList(Number(server.value));
    await codeOf(job);
    const box = ref<number>();
    prl.PrlJob_GetResult(job, box);
    const result = Number(box.value);
    const xml = await textOf((text, length) =>
      prl.PrlResult_GetParamByIndexAsString(result, 1, text, length),
    );
    expect(xml).toContain('<VmName>b &amp; &lt;c&gt;</VmName>');
    expect(xml).toContain('<VmUuid>{12345678-1234-4234-8234-123456789abc}</VmUuid>');
    expect(prl.PrlResult_GetParamByIndexAsString(result, 2, null, ref(0))).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
