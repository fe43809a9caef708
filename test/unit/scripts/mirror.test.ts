/** Which tests the check of their places takes for strangers, and which not. */
import { describe, expect, test } from 'vitest';

const { findStrangers } = (await import(
  new URL('../../../scripts/check-mirror.mjs', import.meta.url).href
)) as {
  findStrangers(
    files: readonly string[],
    folders: ReadonlySet<string>,
    sourceOf: (file: string) => string,
  ): string[];
};

const FOLDERS = new Set([
  'lib',
  'lib/core',
  'lib/service',
  'lib/service/vim',
  'lib/facade',
  'lib/facade/vsphere',
]);

/** What is wrong with one file of this text, beside what is missing of the exceptions. */
function wrongWith(file: string, source = ''): string[] {
  return findStrangers([file], FOLDERS, () => source).filter((problem) =>
    problem.startsWith(`test/${file}: `),
  );
}

const asks = (...paths: string[]): string => paths.map((path) => `import { a } from '${path}';\n`).join('');

describe('a test', () => {
  test.each([
    ['unit/core/chain.test.ts', asks('../../../lib/core/chain.js')],
    ['unit/core/chain.test.ts', asks('../../../lib/core/chain.js', '../../../lib/service/vim/call.js')],
    ['unit/core/helperOnly.test.ts', asks('../../helpers/states.js')],
    [
      'unit/service/two.test.ts',
      asks('../../../lib/service/vim/call.js', '../../../lib/service/vim/soap/a.js'),
    ],
    ['integration/core/disks.ts', ''],
    ['integration/service/whole.test.ts', asks('../../../lib/service/vim/call.js')],
    ['unit/service/two.test.ts', asks('../../../lib/service/log.js', '../../../lib/service/vim/call.js')],
    ['conformance/vsphere/FindChild.test.ts', asks('../../../lib/facade/vsphere/methods/x.js')],
    ['contract/anything/at/all.test.ts', ''],
    ['integration/core/clients/session.py', ''],
    ['unit/scripts/mirror.test.ts', ''],
  ])('%s stands where it may', (file, source) => {
    expect(wrongWith(file, source)).toEqual([]);
  });

  test.each([
    ['unit/nowhere/chain.test.ts', '', 'there is no lib/nowhere'],
    ['integration/core/deeper/disks.ts', '', 'there is no lib/core/deeper'],
    ['conformance/csi/GetMetadata.test.ts', '', 'there is no lib/facade/csi'],
    ['integration/nowhere/clients/session.py', '', 'there is no lib/nowhere'],
    ['elsewhere/chain.test.ts', '', 'test/elsewhere mirrors nothing'],
    [
      'unit/service/call.test.ts',
      asks('../../../lib/service/vim/call.js', '../../../lib/core/chain.js'),
      'asks only lib/service/vim, and stands above',
    ],
    ['unit/service/late.test.ts', "await import('../../../lib/service/vim/call.js')", 'stands above'],
  ])('%s does not', (file, source, message) => {
    expect(wrongWith(file, source)).toEqual([expect.stringContaining(message)]);
  });
});

test('an exception that nothing needs any more is told', () => {
  expect(findStrangers([], FOLDERS, () => '')).toContain(
    'test/unit/scripts is allowed in scripts/check-mirror.mjs, and is not there any more',
  );
});
