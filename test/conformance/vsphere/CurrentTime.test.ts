import { describe, expect, test } from 'vitest';
import { startVm } from './support.js';

describe('CurrentTime', () => {
  test('is the clock', async () => {
    const { service } = await startVm();
    expect(Math.abs(Date.parse(service.CurrentTime()) - Date.now())).toBeLessThan(5000);
  });
});
