import { describe, expect, test } from 'vitest';
import { useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_FreeConnectParams', () => {
  test('leaves what is the caller’s as it is', () => {
    const params = { serverName: 'mine' };
    vix.VixDiskLib_FreeConnectParams(params);
    vix.VixDiskLib_FreeConnectParams(null);
    expect(params).toEqual({ serverName: 'mine' });
  });
});
