import { expect, test } from 'vitest';
import { endsClientsInMainThread } from '../../../../../lib/backend/qemu/graph/ioThreads.js';

test.each([
  ['4.2.0', false],
  ['7.2.22', false],
  ['8.1.5', false],
  ['8.2.2', false],
  ['8.2.3', true],
  ['8.3.0', true],
  ['9.0.0', true],
  ['10.0.13', true],
])('QEMU %s ends connections to exports in its main thread: %s', (version, expected) => {
  const [major, minor, micro] = version.split('.').map(Number) as [number, number, number];
  expect(endsClientsInMainThread({ qemu: { major, minor, micro }, package: '' })).toBe(expected);
});

test('a QEMU that does not say its version is not trusted to', () => {
  expect(endsClientsInMainThread(undefined)).toBe(false);
});
