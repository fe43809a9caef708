import { describe, expect, it } from 'vitest';
import {
  type DiskDescriptor,
  parseDescriptor,
} from '../../../../../lib/backend/image/parallels/descriptor.js';
import { stackImages } from '../../../../../lib/backend/image/parallels/imageStack.js';
import {
  type DescriptorSpec,
  descriptorText,
  type ImageSpec,
  NULL_GUID,
  TOP_GUID,
} from '../../../../helpers/parallelsBuilder.js';
import { refusal } from '../../../../helpers/refusal.js';

const parse = (spec: DescriptorSpec): DiskDescriptor => parseText(descriptorText(spec));
const parseText = (text: string): DiskDescriptor => parseDescriptor('D.xml', Buffer.from(text));
const bare = (guid: string): string => guid.slice(1, -1);
const guid = (n: number): string => `{${n.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000}`;
const stack = (spec: DescriptorSpec): string[] => {
  const descriptor = parse(spec);
  return stackImages('D.xml', descriptor, descriptor.topGuid).map(({ file }) => file);
};
const chainOf = (length: number): ImageSpec[] =>
  Array.from({ length }, (_, i) => ({
    guid: guid(i + 1),
    file: `${i + 1}.hds`,
    parent: i === 0 ? NULL_GUID : guid(i),
  }));

describe('the descriptor', () => {
  it.each(['Parallels_disk_image', 'Virtuozzo_disk_image'])('reads a disk under <%s>', (root) => {
    expect(parse({ root, diskSectors: 123456, clusterSectors: 2048 })).toEqual({
      diskSectors: 123456,
      clusterSectors: 2048,
      images: [{ guid: bare(TOP_GUID), type: 'Compressed', file: 'root.hds' }],
      parents: new Map([[bare(TOP_GUID), bare(NULL_GUID)]]),
      topGuid: bare(TOP_GUID),
    });
  });

  it.each<[string, DescriptorSpec]>([
    ['no Version, as ploop writes it', { version: null }],
    ['no Padding', { padding: null }],
    ['no Snapshots', { snapshots: null }],
    ['BlockSize, as the schema spells it', { blocksizeName: 'BlockSize' }],
    [
      'a byte order mark and a comment',
      { prolog: '\ufeff<?xml version="1.0" encoding="UTF-8"?><!-- a > b -->' },
    ],
    ['white space around values', { diskSectors: '\n 1024\t', end: ' 1024 ' }],
  ])('takes %s', (_what, spec) => {
    expect(parse(spec)).toMatchObject({ diskSectors: 1024, clusterSectors: 8 });
    expect(stack(spec)).toEqual(['root.hds']);
  });

  it('resolves the five entities of XML itself, and character references', () => {
    expect(parse({ images: [{ guid: TOP_GUID, file: 'a&amp;b&#x20;&lt;c&gt;.hds' }] }).images[0]!.file).toBe(
      'a&b <c>.hds',
    );
  });

  it('takes a GUID in any case, and with a null parent in braces or without', () => {
    const odd = '{ABCDEF01-2345-6789-ABCD-EF0123456789}';
    const images = [{ guid: odd, file: 'a.hds', parent: bare(NULL_GUID) }];
    expect(parse({ images, topGuid: odd.toLowerCase() }).topGuid).toBe(bare(odd).toLowerCase());
  });

  const refused: [
    string,
    DescriptorSpec | string,
    'CORRUPT_IMAGE' | 'UNSUPPORTED',
    string,
    string | number,
    RegExp,
  ][] = [
    [
      'another root',
      { root: 'domain' },
      'CORRUPT_IMAGE',
      'root element',
      '"domain"',
      /Parallels_disk_image or Virtuozzo_disk_image/,
    ],
    ['another version', { version: '2.0' }, 'UNSUPPORTED', 'Version', '"2.0"', /^1\.0$/],
    ['a padded disk', { padding: 1 }, 'UNSUPPORTED', 'Padding', 1, /^0$/],
    [
      'a split disk',
      { storageExtra: '<Storage/>' },
      'UNSUPPORTED',
      'count of StorageData/Storage',
      2,
      /split disks/,
    ],
    [
      'no storage',
      descriptorText().replace(/<Storage>.*<\/Storage>/s, ''),
      'UNSUPPORTED',
      'count of StorageData/Storage',
      0,
      /^1/,
    ],
    ['a storage that starts later', { start: 8 }, 'UNSUPPORTED', 'Storage/Start', 8, /^0: split/],
    ['a storage that ends early', { end: 1023 }, 'CORRUPT_IMAGE', 'Storage/End', 1023, /Disk_size, 1024/],
    [
      'a volume with its parent elsewhere',
      { storageExtra: '<Volume><Parent>/vz/p</Parent></Volume>' },
      'UNSUPPORTED',
      'Volume/Parent',
      'present',
      /not followed/,
    ],
    [
      'a size that is no number',
      { diskSectors: '0x400' },
      'UNSUPPORTED',
      'Disk_size',
      '"0x400"',
      /decimal number from 0 to 17592186044415/,
    ],
    ['a negative size', { diskSectors: '-1' }, 'UNSUPPORTED', 'Disk_size', '"-1"', /decimal/],
    [
      'a size of 2^53 bytes',
      { diskSectors: 2 ** 44 },
      'UNSUPPORTED',
      'Disk_size',
      String(2 ** 44),
      /17592186044415/,
    ],
    [
      'a size without end',
      { diskSectors: '9'.repeat(100) },
      'UNSUPPORTED',
      'Disk_size',
      `"${'9'.repeat(80)}"`,
      /decimal/,
    ],
    [
      'two sizes',
      descriptorText().replace('<Disk_size>', '<Disk_size>1</Disk_size><Disk_size>'),
      'CORRUPT_IMAGE',
      'count of Disk_Parameters/Disk_size',
      2,
      /at most 1/,
    ],
    [
      'no size',
      descriptorText().replace(/<Disk_size>.*<\/Disk_size>/, ''),
      'CORRUPT_IMAGE',
      'Disk_Parameters/Disk_size',
      'missing',
      /there/,
    ],
    [
      'no parameters',
      descriptorText().replace(/<Disk_Parameters>.*<\/Disk_Parameters>/s, ''),
      'CORRUPT_IMAGE',
      'Parallels_disk_image/Disk_Parameters',
      'missing',
      /there/,
    ],
    [
      'another image type',
      { images: [{ guid: TOP_GUID, file: 'a', type: 'Qcow2' }] },
      'UNSUPPORTED',
      'Image/Type',
      '"Qcow2"',
      /Plain or Compressed/,
    ],
    [
      'no file name',
      { images: [{ guid: TOP_GUID, file: ' ' }] },
      'CORRUPT_IMAGE',
      'Image/File',
      '""',
      /name of a file/,
    ],
    [
      'a GUID that is none',
      { images: [{ guid: '{1234}', file: 'a' }] },
      'CORRUPT_IMAGE',
      'Image/GUID',
      '"{1234}"',
      /GUID in braces/,
    ],
    [
      'the null GUID for an image',
      { images: [{ guid: NULL_GUID, file: 'a' }], snapshots: null },
      'CORRUPT_IMAGE',
      'Image/GUID',
      bare(NULL_GUID),
      /null GUID/,
    ],
    ['a broken top GUID', { topGuid: 'top' }, 'CORRUPT_IMAGE', 'TopGUID', '"top"', /GUID/],
    [
      'one Shot twice',
      { images: [...chainOf(1), ...chainOf(1)] },
      'CORRUPT_IMAGE',
      'Shot/GUID',
      bare(guid(1)),
      /unlike/,
    ],
    [
      'a document type',
      { prolog: '<!DOCTYPE x [<!ENTITY e "e">]>' },
      'UNSUPPORTED',
      'DOCTYPE',
      'present',
      /absent/,
    ],
    [
      'an entity',
      { diskSectors: '&size;' },
      'CORRUPT_IMAGE',
      'XML',
      /undefined entity/ as unknown as string,
      /well-formed/,
    ],
    [
      'a cut text',
      descriptorText().slice(0, 300),
      'CORRUPT_IMAGE',
      'XML',
      /unclosed tag/ as unknown as string,
      /well-formed/,
    ],
    [
      'no text',
      '',
      'CORRUPT_IMAGE',
      'XML',
      /document must contain a root element/ as unknown as string,
      /well-formed/,
    ],
    [
      'another encoding',
      { prolog: '<?xml version="1.0" encoding="UTF-16"?>' },
      'UNSUPPORTED',
      'XML encoding',
      '"UTF-16"',
      /UTF-8/,
    ],
    ['nesting without end', '<a>'.repeat(1000), 'UNSUPPORTED', 'XML nesting', 33, /at most 32/],
  ];
  it.each(refused)('refuses %s', (_what, spec, code, field, value, limit) => {
    const error = refusal(() => (typeof spec === 'string' ? parseText(spec) : parse(spec)));
    expect(error.code).toBe(`ERR_CBT_${code}`);
    expect(error.message).toMatch(/^D\.xml: .* must be /s);
    expect(error.details['field']).toBe(field);
    if ((value as unknown) instanceof RegExp)
      expect(error.details['value']).toMatch(value as unknown as RegExp);
    else expect(error.details['value']).toBe(value);
    expect(String(error.details['limit'])).toMatch(limit);
  });

  it('refuses bytes that are no UTF-8', () => {
    const error = refusal(() => parseDescriptor('D.xml', Buffer.from([0x3c, 0xff, 0xfe])));
    expect(error.message).toBe('D.xml: XML encoding is not UTF-8, must be UTF-8');
  });
});

describe('the stack of images', () => {
  it('goes from the top to the root, by the names of the Shots alone', () => {
    const images = chainOf(4);
    for (const order of [images, [...images].reverse(), [images[2]!, images[0]!, images[3]!, images[1]!]])
      expect(stack({ images: order, topGuid: guid(4) })).toEqual(['4.hds', '3.hds', '2.hds', '1.hds']);
    expect(stack({ images, topGuid: guid(2) })).toEqual(['2.hds', '1.hds']);
  });

  it('takes the well-known top GUID where none is named', () => {
    const images = [...chainOf(2), { guid: TOP_GUID, file: 'top.hds', parent: guid(2) }];
    expect(stack({ images })).toEqual(['top.hds', '2.hds', '1.hds']);
  });

  it('leaves the branches that the top does not stand on', () => {
    const images = [...chainOf(2), { guid: guid(9), file: 'other.hds', parent: guid(1) }];
    expect(stack({ images, topGuid: guid(9) })).toEqual(['other.hds', '1.hds']);
  });

  it('holds 200 images and no more', () => {
    expect(stack({ images: chainOf(200), topGuid: guid(200) })).toHaveLength(200);
    const error = refusal(() => stack({ images: chainOf(201), topGuid: guid(201) }));
    expect(error.message).toBe('D.xml: images in the chain is more, must be at most 200');
  });

  const broken: [string, DescriptorSpec, string, string][] = [
    [
      'a ring',
      {
        images: [
          { guid: guid(1), file: 'a', parent: guid(2) },
          { guid: guid(2), file: 'b', parent: guid(1) },
        ],
        topGuid: guid(1),
      },
      'ParentGUID',
      bare(guid(1)),
    ],
    [
      'an image that is its own parent',
      { images: [{ guid: guid(1), file: 'a', parent: guid(1) }], topGuid: guid(1) },
      'ParentGUID',
      bare(guid(1)),
    ],
    [
      'a parent without an image',
      { images: [{ guid: guid(1), file: 'a', parent: guid(7) }], topGuid: guid(1) },
      'GUID in the chain',
      bare(guid(7)),
    ],
    ['a top without an image', { images: chainOf(2), topGuid: guid(7) }, 'GUID in the chain', bare(guid(7))],
    ['no top at all', { images: chainOf(2) }, 'GUID in the chain', bare(TOP_GUID)],
    [
      'the null GUID as top',
      { images: chainOf(2), topGuid: NULL_GUID },
      'GUID in the chain',
      bare(NULL_GUID),
    ],
    [
      'two images and nothing that stacks them',
      { images: chainOf(2), snapshots: null },
      'GUID in the chain',
      bare(TOP_GUID),
    ],
    ['no image', { images: [] }, 'GUID in the chain', bare(TOP_GUID)],
  ];
  it.each(broken)('refuses %s', (_what, spec, field, value) => {
    const error = refusal(() => stack(spec));
    expect(error).toMatchObject({ code: 'ERR_CBT_CORRUPT_IMAGE', details: { field, value } });
  });

  it('refuses two images of one GUID', () => {
    const text = descriptorText({ images: chainOf(1), topGuid: guid(1) });
    const twice = text.replace(/(<Image>.*<\/Image>)/s, '$1$1');
    const error = refusal(() => stackImages('D.xml', parseText(twice), bare(guid(1))));
    expect(error).toMatchObject({ code: 'ERR_CBT_CORRUPT_IMAGE', details: { field: 'Image/GUID' } });
  });
});
