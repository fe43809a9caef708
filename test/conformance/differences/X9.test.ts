/** docs/differences.md, X9. */
import { expect, test } from 'vitest';
import { connect, makeImage, path, QCOW2, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X9: progress is told at the start and at the end', async () => {
  const told: number[] = [];
  const from = await makeImage('a.qcow2', 8 << 20, ['write 0 8M']);
  const connection = await connect();
  expect(
    await vix.VixDiskLib_Clone(connection, path('b.qcow2'), connection, from, QCOW2, (_, percent) =>
      told.push(percent),
    ),
  ).toBe(vix.VIX_OK);
  expect(told).toEqual([0, 100]);
});
