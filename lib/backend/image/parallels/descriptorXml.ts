/**
 * Just enough XML for a disk descriptor: elements and their text. Declarations that can grow the document or reach
 * outside it (DOCTYPE, entities) are refused, and every other oddity is an error with its place.
 */
import { SaxesParser } from 'saxes';
import { corrupt, faultError, unsupported } from '../faults.js';

export interface XmlElement {
  name: string;
  attributes: Readonly<Record<string, string>>;
  children: XmlElement[];
  /** Text directly inside, trimmed. */
  text: string;
}

/** A descriptor's own elements nest five deep. */
const MAX_DEPTH = 32;

/** The root element. The caller has bounded the text; memory and time are linear in it. */
export function parseXml(where: string, bytes: Buffer, maxDepth = MAX_DEPTH): XmlElement {
  const parser = new SaxesParser({ xmlns: false as const, position: true });
  const document: XmlElement = { name: '', attributes: {}, children: [], text: '' };
  const open: XmlElement[] = [document];
  const top = (): XmlElement => open.at(-1) ?? document;

  parser.on('error', (error) => {
    throw faultError(where, corrupt('XML', `broken (${error.message})`, 'well-formed'));
  });
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding === undefined || /^(utf-8|us-ascii|ascii)$/i.test(encoding)) return;
    throw faultError(where, unsupported('XML encoding', JSON.stringify(encoding), 'UTF-8'));
  });
  parser.on('doctype', () => {
    throw faultError(where, unsupported('DOCTYPE', 'present', 'absent: a descriptor needs no declarations'));
  });
  parser.on('opentag', ({ name, attributes }) => {
    if (open.length > maxDepth)
      throw faultError(where, unsupported('XML nesting', open.length, `at most ${maxDepth}`));
    const element: XmlElement = { name, attributes, children: [], text: '' };
    top().children.push(element);
    open.push(element);
  });
  parser.on('text', (text) => {
    top().text += text;
  });
  parser.on('cdata', (text) => {
    top().text += text;
  });
  parser.on('closetag', () => {
    const closed = open.pop();
    if (closed !== undefined) closed.text = closed.text.trim();
  });
  parser.write(decode(where, bytes)).close();

  const [root] = document.children;
  if (root === undefined) throw faultError(where, corrupt('XML', 'without an element', 'well-formed'));
  return root;
}

function decode(where: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw faultError(where, unsupported('XML encoding', 'not UTF-8', 'UTF-8'));
  }
}

/** All children of the name. */
export function childrenOf(parent: XmlElement, name: string): XmlElement[] {
  return parent.children.filter((child) => child.name === name);
}

/** The child of the name; null when there is none. Two of them are a doubt. */
export function findChild(where: string, parent: XmlElement, name: string): XmlElement | null {
  const [child, second] = childrenOf(parent, name);
  if (second !== undefined) {
    const count = childrenOf(parent, name).length;
    throw faultError(where, corrupt(`count of ${parent.name}/${name}`, count, 'at most 1'));
  }
  return child ?? null;
}

/** The child of the name, which must be there. */
export function requireChild(where: string, parent: XmlElement, name: string): XmlElement {
  const child = findChild(where, parent, name);
  if (child === null) throw faultError(where, corrupt(`${parent.name}/${name}`, 'missing', 'there'));
  return child;
}
