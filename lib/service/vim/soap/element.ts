/** XML of a client as a tree: elements with the names that count (no prefixes), text and attributes, within fixed limits. */
import { type SaxesAttributeNS, SaxesParser } from 'saxes';
import { InvalidRequest } from '../../../facade/vsphere/index.js';

/** Deeper, or more of anything, than any client sends; a parser with namespaces takes time that grows with the square of the depth. */
const MOST_DEPTH = 64;
const MOST_ELEMENTS = 100_000;
const MOST_ATTRIBUTES = 32;
const MOST_TEXT = 1 << 20;

/** Namespace of `xsi:type`. */
export const XSI = 'http://www.w3.org/2001/XMLSchema-instance';

/** One element. */
export interface Element {
  /** Without prefix. */
  name: string;
  /** Its namespace; empty without one. */
  namespace: string;
  /** Attributes without a namespace, by name. */
  attributes: ReadonlyMap<string, string>;
  /** `xsi:type` without its prefix; null where none is told. */
  xsiType: string | null;
  /** Whether `xsi:nil` says that there is no value. */
  isNil: boolean;
  children: Element[];
  /** Text outside its children. */
  text: string;
}

/** Reads a document; `InvalidRequest` for what is no well-formed XML, has a DTD or processing instructions, or passes a limit. */
export function readXml(text: string, mostElements: number = MOST_ELEMENTS): Element {
  const parser = new SaxesParser({ xmlns: true });
  const open: Element[] = [];
  let root: Element | null = null;
  let elements = 0;
  const refuse = (what: string): never => {
    throw new InvalidRequest(`the request is no XML that is read here: ${what}`);
  };
  parser.on('error', (error) => refuse(error.message));
  parser.on('doctype', () => refuse('it has a document type'));
  parser.on('processinginstruction', () => refuse('it has a processing instruction'));
  parser.on('opentag', ({ local, uri, attributes, ...tag }) => {
    elements += 1;
    if (open.length >= MOST_DEPTH) refuse(`elements are nested deeper than ${MOST_DEPTH}`);
    if (elements > mostElements) refuse(`it has more than ${mostElements} elements`);
    const all: SaxesAttributeNS[] = Object.values(attributes);
    if (all.length > MOST_ATTRIBUTES) refuse(`an element has more than ${MOST_ATTRIBUTES} attributes`);
    const xsi = (name: string): string | undefined =>
      all.find((one) => one.uri === XSI && one.local === name)?.value;
    const element: Element = {
      name: local ?? tag.name,
      namespace: uri ?? '',
      attributes: new Map(all.filter((one) => one.uri === '').map((one) => [one.local, one.value])),
      xsiType: xsi('type')?.trim().replace(/^.*:/, '') ?? null,
      isNil: /^(true|1)$/.test(xsi('nil') ?? ''),
      children: [],
      text: '',
    };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  const take = (more: string): void => {
    const at = open.at(-1);
    if (at === undefined) return;
    if (at.text.length + more.length > MOST_TEXT)
      refuse(`<${at.name}> has more than ${MOST_TEXT} characters`);
    at.text += more;
  };
  parser.on('text', take);
  parser.on('cdata', take);
  parser.on('closetag', () => void open.pop());
  parser.write(text).close();
  return root ?? refuse('it has no element');
}
