/**
 * A YAML file as plain values, with the place of each. Only what a person writes in a file of settings is taken: one document of
 * maps, lists and scalars. Anchors and aliases (a few lines of them can stand for gigabytes), tags, keys that are no text and keys
 * that stand twice are refused where they stand.
 */
import { Composer, type Document, isAlias, isMap, isScalar, isSeq, Lexer, Parser } from 'yaml';

/** Entries of the parser's stack, at most two a level of lists and maps: deeper ones cost it its own stack, or all memory. */
const MOST_OPEN = 64;

/** A place in a text; line and column count from 1. */
export interface TextPlace {
  line: number;
  column: number;
}

/** What is wrong, and where. */
export interface TextProblem extends TextPlace {
  message: string;
}

/** Path of a value: keys of maps, places in lists. */
export type ValuePath = readonly (string | number)[];

/** A text that was read: one value, and where its parts stand. */
export interface YamlText {
  value: unknown;
  /** Where the value stands; of one that is missing, where the map or list that should have it begins. */
  placeOf(path: ValuePath): TextPlace;
  /** Where a key of this map stands. */
  placeOfKey(path: ValuePath, key: string): TextPlace;
}

/** Reads the text, or tells what is wrong with it: all that is found in one pass. */
export function readYaml(text: string): YamlText | { problems: TextProblem[] } {
  const place = (offset: number): TextPlace => placeIn(text, offset);
  const strange = strangeIn(text);
  if (strange !== null) return { problems: [{ ...place(strange.offset), message: strange.message }] };
  let document: Document.Parsed | null = null;
  try {
    // Keys that stand twice are looked for below: the composer compares each with each.
    for (const next of new Composer({ uniqueKeys: false, logLevel: 'silent' }).compose(tokensOf(text), true))
      if (document !== null)
        return { problems: [{ ...place(next.range[0]), message: 'a second document begins; one is read' }] };
      else document = next;
  } catch (thrown) {
    if (!(thrown instanceof TooDeep)) throw thrown;
    return { problems: [{ ...place(thrown.offset), message: 'lists and maps are nested too deeply' }] };
  }
  if (document === null) return { problems: [{ line: 1, column: 1, message: 'it is empty' }] };
  const problems = [...document.errors, ...document.warnings]
    .map((found) => ({ offset: found.pos[0], message: found.message }))
    .concat(refusedIn(document.contents));
  if (problems.length > 0)
    return { problems: problems.map(({ offset, message }) => ({ ...place(offset), message })) };
  const { contents } = document;
  return {
    value: document.toJS({ maxAliasCount: 0 }),
    placeOf: (path) => place(nodeAt(contents, path)?.range?.[0] ?? 0),
    placeOfKey: (path, key) => {
      const map = nodeAt(contents, path);
      const pair = isMap(map) ? map.items.find((item) => isScalar(item.key) && item.key.value === key) : null;
      return place((pair?.key as { range?: number[] } | undefined)?.range?.[0] ?? 0);
    },
  };
}

class TooDeep extends Error {
  constructor(readonly offset: number) {
    super('too deep');
  }
}

function* tokensOf(text: string) {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MOST_OPEN) throw new TooDeep(parser.offset);
  }
  yield* parser.end();
}

/** What YAML itself does not allow in a text, and what would show it other than it is. */
function strangeIn(text: string): { offset: number; message: string } | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const found = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\p{Cs}]/u.exec(text);
  if (found === null) return null;
  const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return { offset: found.index, message: `the character U+${code} is not taken` };
}

interface Refusal {
  offset: number;
  message: string;
}

function refusedIn(node: unknown): Refusal[] {
  if (isAlias(node))
    return [{ offset: node.range?.[0] ?? 0, message: `the alias *${node.source} is not taken` }];
  const found: Refusal[] = [];
  const refuse = (at: unknown, message: string): void => {
    found.push({ offset: (at as { range?: number[] } | null)?.range?.[0] ?? 0, message });
  };
  if (isScalar(node) || isMap(node) || isSeq(node)) {
    if (node.anchor !== undefined) refuse(node, `the anchor &${node.anchor} is not taken`);
    else if (node.tag !== undefined) refuse(node, `the tag ${node.tag} is not taken`);
  }
  if (isSeq(node)) for (const item of node.items) found.push(...refusedIn(item));
  if (!isMap(node)) return found;
  const keys = new Set<string>();
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? key.value : null;
    if (typeof name !== 'string' || name === '__proto__')
      refuse(key, 'a key is text; what looks like a number stands in quotes');
    else if (keys.has(name)) refuse(key, `the key ${JSON.stringify(name)} stands twice`);
    else keys.add(name);
    found.push(...refusedIn(key), ...refusedIn(value));
  }
  return found;
}

/** The value, or the nearest that should have it. */
function nodeAt(root: unknown, path: ValuePath): { range?: readonly number[] | null } | null {
  let node = root;
  for (const step of path) {
    const next: unknown = isMap(node) || isSeq(node) ? node.get(step, true) : undefined;
    if (next === undefined || next === null) break;
    node = next;
  }
  return node as { range?: readonly number[] | null } | null;
}

function placeIn(text: string, offset: number): TextPlace {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: [...before.slice(start)].length + 1 };
}
