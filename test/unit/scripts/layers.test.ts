/** What the check of the arrows between rooms sees, and what it takes for wrong. */
import { describe, expect, test } from 'vitest';

type Graph = ReadonlyMap<string, readonly string[]>;
const { findCircles, folderCircles, specifiersIn, wrongWithin } = (await import(
  new URL('../../../scripts/layers.mjs', import.meta.url).href
)) as {
  findCircles(graph: Graph): string[][];
  folderCircles(graph: Graph): { folder: string; circle: string[] }[];
  specifiersIn(source: string): string[];
  wrongWithin(file: string, target: string): string | null;
};

test.each([
  "import { a } from './x.js';",
  "import type { A } from './x.js';",
  "import {\n  a,\n  b,\n} from './x.js';",
  "import './x.js';",
  "export * from './x.js';",
  "export type { A } from './x.js';",
  "const a = await import('./x.js');",
  "const a = () => import(\n  './x.js'\n);",
  "type A = import('./x.js').A;",
])('%j imports', (source) => {
  expect(specifiersIn(source)).toEqual(['./x.js']);
});

describe('circles', () => {
  const graph = (...arrows: string[]): Graph => {
    const found = new Map<string, string[]>();
    for (const [from = '', to = ''] of arrows.map((arrow) => arrow.split(' ')))
      found.set(from, [...(found.get(from) ?? []), to]);
    return found;
  };

  test('of files are found, however long', () => {
    expect(findCircles(graph('a b', 'b c', 'c d')).length).toBe(0);
    expect(findCircles(graph('a b', 'b c', 'c a', 'd a')).map((one) => one.sort())).toEqual([
      ['a', 'b', 'c'],
    ]);
  });

  test('of folders side by side are found where no file is in one; a folder and what is below it make none', () => {
    const sideBySide = graph('x/a/1.ts x/b/2.ts', 'x/b/3.ts x/a/4.ts', 'x/a/4.ts x/b/2.ts', 'x/b/2.ts node');
    expect(findCircles(sideBySide)).toEqual([]);
    expect(folderCircles(sideBySide)).toMatchObject([
      { folder: 'x', circle: expect.arrayContaining(['a', 'b']) },
    ]);
    expect(folderCircles(graph('x/1.ts x/a/2.ts', 'x/a/3.ts x/4.ts'))).toEqual([]);
  });
});

test('rooms in an order know those behind them only; facades know each other by the index', () => {
  const qemu = 'backend/qemu';
  expect(wrongWithin(`${qemu}/session/a.ts`, `${qemu}/live/b.ts`)).toBeNull();
  expect(wrongWithin(`${qemu}/live/b.ts`, `${qemu}/session/a.ts`)).toContain('is used by session/');
  expect(wrongWithin(`${qemu}/live/b.ts`, `${qemu}/qemuHost.ts`)).toBeNull();
  expect(wrongWithin('facade/vixdisklib/a.ts', 'facade/vsphere/index.ts')).toBeNull();
  expect(wrongWithin('facade/vixdisklib/a.ts', 'facade/vsphere/b.ts')).toContain('by its index alone');
  expect(wrongWithin('facade/vsphere/a.ts', 'facade/vsphere/b.ts')).toBeNull();
  expect(wrongWithin('service/vim/a.ts', 'facade/vsphere/b.ts')).toBeNull();
});
