import { describe, expect, test } from 'vitest';
import { prl, useLibrary } from './support.js';

useLibrary();

describe('PrlDisk_SwitchToState', () => {
  test('is there and says that it is not implemented', () => {
    expect(prl.PrlDisk_SwitchToState(1, 0)).toBe(prl.PRL_ERR_UNIMPLEMENTED);
  });
});
