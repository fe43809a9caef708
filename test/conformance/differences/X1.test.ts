/** docs/differences.md, X1. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { makeImage, open, useLibrary, vix } from '../vixdisklib/support.js';

useLibrary();

test('X1: metadata is beside the image', async () => {
  const file = await makeImage();
  expect(await vix.VixDiskLib_WriteMetadata(await open(file), 'key', 'value')).toBe(vix.VIX_OK);
  expect(JSON.parse(readFileSync(`${file}.metadata.json`, 'utf8'))).toEqual({ key: 'value' });
});
