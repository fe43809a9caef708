import { describe, expect, test } from 'vitest';
import { prl, ref, startVm, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlVmCfg_GetName', () => {
  test('tells the name', async () => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    expect(await textOf((text, length) => prl.PrlVmCfg_GetName(vm, text, length))).toBe('web');
    expect(prl.PrlVmCfg_GetName(0, null, ref(0))).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
