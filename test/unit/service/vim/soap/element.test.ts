/** What a client sends is read within limits, and nothing in it is followed. */
import { describe, expect, test } from 'vitest';
import { readXml } from '../../../../../lib/service/vim/soap/element.js';

describe('XML of a client', () => {
  test('is a tree with the names that count', () => {
    const root = readXml(
      '<a:x xmlns:a="urn:one" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><y xmlns="urn:two" i:type="p:T" type="k">1 &lt; 2<![CDATA[<]]></y><z i:nil="true"/></a:x>',
    );
    expect([root.name, root.namespace]).toEqual(['x', 'urn:one']);
    const [y, z] = root.children;
    expect([y?.name, y?.namespace, y?.xsiType, y?.attributes.get('type'), y?.text]).toEqual([
      'y',
      'urn:two',
      'T',
      'k',
      '1 < 2<',
    ]);
    expect(z?.isNil).toBe(true);
  });

  test.each([
    ['a document type', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 'document type'],
    ['an entity that nobody declared', '<a>&b;</a>', 'undefined entity'],
    ['a processing instruction', '<a><?php x?></a>', 'processing instruction'],
    ['an end that is missing', '<a><b></a>', 'unexpected close tag'],
    ['nothing', '', 'document must contain a root element'],
    ['no XML', 'POST / HTTP/1.1', 'text data outside of root node'],
    ['a prefix without a namespace', '<q:a/>', 'unbound namespace prefix'],
    ['a nesting without end', '<a>'.repeat(100_000), 'deeper than 64'],
    ['more elements than anybody sends', `<a>${'<b/>'.repeat(100_001)}</a>`, 'more than 100000 elements'],
    [
      'more attributes',
      `<a ${Array.from({ length: 33 }, (_, i) => `b${i}="1"`).join(' ')}/>`,
      'more than 32 attributes',
    ],
    ['a text that is too long', `<a>${'x'.repeat((1 << 20) + 1)}</a>`, 'more than 1048576 characters'],
  ])('refuses %s', (_what, text, why) => {
    expect(() => readXml(text)).toThrow(why);
    expect(() => readXml(text)).toThrow(expect.objectContaining({ _type: 'InvalidRequest' }));
  });

  test('gives up on a deep nesting at once', () => {
    const before = performance.now();
    expect(() => readXml('<a>'.repeat(1_000_000))).toThrow('deeper');
    expect(performance.now() - before).toBeLessThan(2000);
  });
});
