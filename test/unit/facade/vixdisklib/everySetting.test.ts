import { expect, test } from 'vitest';
import { configureVixDiskLib, Library } from '../../../../lib/facade/vixdisklib/index.js';
import { emptyObject, refusals, takes } from '../../../helpers/wrongArguments.js';

const kinds = { service: takes.nothing, datastores: emptyObject, formats: emptyObject };

test('a setting that is not what it must be is refused with its name, and none is taken', async () => {
  expect(await refusals({ call: configureVixDiskLib, kinds })).toEqual([]);
  expect(await refusals({ call: (settings) => new Library(settings), kinds })).toEqual([]);
});
