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
  ['const open = new Map() as Map<string, number>;', 'open'],
  ['const open = { n: 1 }; export function f(): void { open.n += 1; }', 'open'],
  ['const open = { at: { n: 1 } }; export const f = (): number => open.at.n++;', 'open'],
  ['const open = [1]; export function f(): void { open.push(2); }', 'open'],
  ['const open = make(); export function f(): void { open.set(1, 2); }', 'open'],
  ['const open = [1]; export function f(): void { delete open[0]; }', 'open'],
  ['export function open(): void { open.count = 1; }', 'open'],
  ['export const open = (() => { let n = 0; return () => ++n; })();', 'open'],
  ["import { open } from './open.js'; export function f(): void { open.n = 1; }", 'open'],
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
  'const made = z.object({}); export function f(made: { n: number }): void { made.n = 1; }',
  'const seen = [1]; export function f(): number[] { const seen = [2]; seen.push(3); return seen; }',
])('%s is none', (source) => {
  expect(findState(source)).toEqual([]);
});
