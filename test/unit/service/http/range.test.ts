/** Ranges of bytes as clients ask for them, and names of a VM's files. */
import { expect, test } from 'vitest';
import { storeFolderOf, storeNames } from '../../../../lib/facade/vsphere/storeNames.js';
import { rangeOf } from '../../../../lib/service/http/range.js';

test.each([
  [undefined, null],
  ['items=0-1', null],
  ['bytes=0-65536', { start: 0, end: 65_537 }],
  ['bytes=65536-', { start: 65_536, end: 100_000 }],
  ['bytes=-10', { start: 99_990, end: 100_000 }],
  ['bytes=-200000', { start: 0, end: 100_000 }],
  ['bytes=99999-200000', { start: 99_999, end: 100_000 }],
  ['bytes=100000-', 'unsatisfiable'],
  ['bytes=5-4', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=-', 'unsatisfiable'],
  ['bytes=0-1,5-6', 'unsatisfiable'],
  ['bytes=a-b', 'unsatisfiable'],
  [`bytes=${'9'.repeat(30)}-`, 'unsatisfiable'],
])('%s of 100000 bytes is %j', (header, range) => {
  expect(rangeOf(header, 100_000)).toEqual(range);
});

test('names of files hold no path and are never two files’', () => {
  const names = storeNames('a/../b', [
    { key: 2000, label: 'vda' },
    { key: 2001, label: '/machine/x' },
    { key: 2002, label: '_machine_x' },
    { key: 2003, label: 'vda-flat' },
    { key: 2004, label: '..' },
  ]);
  expect(storeFolderOf('..')).toBe('_');
  expect([...names.values()]).toEqual([
    'a_.._b/vda',
    'a_.._b/_machine_x_2001',
    'a_.._b/_machine_x_2002',
    'a_.._b/vda-flat_2003',
    'a_.._b/_',
  ]);
});
