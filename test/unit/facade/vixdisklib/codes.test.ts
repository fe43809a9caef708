/** The codes' values, and the macros that look at results. */
import { expect, test } from 'vitest';
import * as vix from '../../../../lib/facade/vixdisklib/index.js';

const codes = Object.entries(vix).filter(([name]) => /^VIX_(E_|ASYNC$|OK$)/.test(name));

test('every code of the public headers is there, each with its own number', () => {
  expect(codes.length).toBeGreaterThan(250);
  expect(new Set(codes.map(([, value]) => value)).size).toBe(codes.length);
  expect(vix).toMatchObject({
    VIX_E_AUTHENTICATION_FAIL: 35,
    VIX_E_TIMEOUT_WAITING_FOR_TOOLS: 3000,
    VIX_E_HOST_NETWORK_CONN_REFUSED: 14009,
    VIX_E_DISK_CANTREPAIR: 16062,
    VIX_E_MNTAPI_VOLUME_NOT_WRITABLE: 24322,
    VIX_E_NET_HTTP_GENERIC: 30202,
  });
});

test('a result fails unless it is VIX_OK; its code is the low 16 bits', () => {
  for (const [name, value] of codes)
    expect([name, vix.VIX_SUCCEEDED(value as number), vix.VIX_FAILED(value as number)]).toEqual([
      name,
      name === 'VIX_OK',
      name !== 'VIX_OK',
    ]);
  // High bits make a failure, whatever the code.
  expect(vix.VIX_SUCCEEDED(0x10000)).toBe(false);
  expect(vix.VIX_FAILED(1n << 40n)).toBe(true);
  expect(vix.VIX_SUCCEEDED(0n)).toBe(true);
  expect(vix.VIX_ERROR_CODE(0x30000 + 16062)).toBe(16062);
  expect(vix.VIX_ERROR_CODE((5n << 48n) + 16062n)).toBe(16062);
});

test('versions and masks', () => {
  expect([vix.VIXDISKLIB_VERSION_MAJOR, vix.VIXDISKLIB_VERSION_MINOR]).toEqual([8, 0]);
  expect(vix.VIXDISKLIB_HWVERSION_CURRENT).toBe(13);
  expect(vix.VIXDISKLIB_FLAG_OPEN_COMPRESSION_MASK).toBe(0x3f0);
});
