/** The error index names every code and reason there is, with the exit code it really has. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { exitCodeOf } from '../../lib/cli/exitCode.js';
import { CbtError, type CbtErrorCode } from '../../lib/core/errors.js';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const index = read('docs/errors.md');
const source = read('lib/core/errors.ts');

describe('docs/errors.md', () => {
  test('has every code, with its exit code', () => {
    const codes = [...source.matchAll(/\| '(ERR_CBT_[A-Z_]+)'/g)].map(([, code]) => code).sort();
    const rows = [...index.matchAll(/^\| `(ERR_CBT_[A-Z_]+)` .* \| (\d+) \|$/gm)];
    expect(rows.map(([, code]) => code).sort()).toEqual(codes);
    for (const [, code, exit] of rows)
      expect([code, exitCodeOf(new CbtError(code as CbtErrorCode, ''))]).toEqual([code, Number(exit)]);
  });

  test('has every reason', () => {
    const [, union = ''] = /export type CbtReason =(.*?);/s.exec(source) ?? [];
    const reasons = [...union.matchAll(/\| '([A-Z_]+)'/g)].map(([, reason]) => reason).sort();
    const rows = [...index.matchAll(/^\| `([A-Z_]+)` /gm)].map(([, name]) => name!);
    expect(rows.filter((name) => !name.startsWith('ERR_')).sort()).toEqual(reasons);
    expect(reasons).toHaveLength(12);
  });
});
