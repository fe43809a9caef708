import { describe, expect, test } from 'vitest';
import { startVm } from './support.js';

describe('FindByUuid', () => {
  test('finds by the UUID that the configuration tells', async () => {
    const { service, vm } = await startVm();
    const { searchIndex } = service.content;
    expect(await searchIndex.FindByUuid(null, vm.config.uuid.toUpperCase(), true)).toBe(vm);
    expect(await searchIndex.FindByUuid(null, '00000000-0000-4000-8000-000000000000', true)).toBeNull();
  });
});
