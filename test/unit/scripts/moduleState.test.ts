/** What the check of the facades' modules takes for state, and what not. */
import { expect, test } from 'vitest';

const { findState } = (await import(new URL('../../../scripts/check-state.mjs', import.meta.url).href)) as {
  findState(source: string): { name: string; what: string }[];
};

test.each([
  ['let open = 0;', 'open'],
  ['export let open: number;', 'open'],
  ['var open = 0;', 'open'],
  ['const open = new Map<string, number>();', 'open'],
  ['export const open = new Set([1]);', 'open'],
  ['const open: Map<string, number> = new Map();', 'open'],
  ['const open: number[] = [];', 'open'],
  ['const open: Record<string, number> = {};', 'open'],
  ['const open = new Library();', 'open'],
  ['export class Table { static open = 0; }', 'Table.open'],
  ['class Table { static readonly open = new Map(); }', 'Table.open'],
])('%s is state', (source, name) => {
  expect(findState(source)).toEqual([{ name, what: expect.any(String) }]);
});

test.each([
  "const CODE = 'x';",
  'const CODES: Record<string, number> = { a: 1 };',
  'const TEXTS: ReadonlyMap<number, string> = new Map([[1, "one"]]);',
  'const NONE: readonly string[] = [];',
  'export const schema = z.object({});',
  'export class Table { readonly #open = new Map(); #next = 1; }',
  'export function count(): number { let n = 0; const seen = new Set(); return n + seen.size; }',
  'import { open } from "./open.js"; export type Open = { n: number };',
])('%s is none', (source) => {
  expect(findState(source)).toEqual([]);
});
