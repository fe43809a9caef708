import { describe, expect, test } from 'vitest';
import { prl, ref, resultOf, serverOf, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlResult_GetParamByIndexAsString', () => {
  test('of a VM it is XML with its name and UUID; past the last there is none', async () => {
    const server = await serverOf([
      { name: 'a', qmpSocket: '/a' },
      { name: 'b & <c>', uuid: '12345678-1234-4234-8234-123456789ABC', qmpSocket: '/b' },
    ]);
    const result = await resultOf(prl.PrlSrv_GetVmList(server));
    const xml = await textOf((text, length) =>
      prl.PrlResult_GetParamByIndexAsString(result, 1, text, length),
    );
    expect(xml).toContain('<VmName>b &amp; &lt;c&gt;</VmName>');
    expect(xml).toContain('<VmUuid>{12345678-1234-4234-8234-123456789abc}</VmUuid>');
    expect(prl.PrlResult_GetParamByIndexAsString(result, 2, null, ref(0))).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
