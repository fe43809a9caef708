import { describe, expect, test } from 'vitest';
import { beginBackup, codeOf, prl, startVm, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlVmBackup_GetUuid', () => {
  test('is the point in time with braces, and empty where none is kept', async () => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    const uuidOf = (backup: number): Promise<string> =>
      textOf((text, length) => prl.PrlVmBackup_GetUuid(backup, text, length));
    const kept = await beginBackup(vm);
    expect(await uuidOf(kept)).toMatch(/^\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}$/);
    expect(await codeOf(prl.PrlVmBackup_Rollback(kept))).toBe(0);
    const unnamed = await beginBackup(vm, 0);
    expect(await uuidOf(unnamed)).toBe('');
    expect(await codeOf(prl.PrlVmBackup_Commit(unnamed))).toBe(0);
  });
});
