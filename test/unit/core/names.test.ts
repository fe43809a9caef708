/** Names in and out: PIT UUIDs, segment names, changeIds, and what a caller may write for a point. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  changeId,
  formatChangeId,
  instantOf,
  namesInstant,
  parseChangeId,
} from '../../../lib/core/changeId.js';
import { parsePoint } from '../../../lib/core/point.js';
import { parseUuid, pointId, requireUuid } from '../../../lib/core/pointInTime.js';
import {
  formatSegmentName,
  isUnreadableSegmentName,
  MAX_SEQUENCE,
  parseSegmentName,
  type SegmentName,
} from '../../../lib/core/segmentName.js';
import { refusal } from '../../helpers/refusal.js';
import { changeIdOf, EPOCH, pit } from '../../helpers/states.js';

const UUID = 'e4f2eed0-37fe-4539-b50b-85d2e7fd235f';
const uuids = fc.uuid().filter((uuid) => !uuid.startsWith('00000000-0000-0000-0000-0000'));
const counts = fc.oneof(
  fc.integer({ min: 1, max: 1000 }),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1 }),
);
const sequences = fc.integer({ min: 1, max: MAX_SEQUENCE });
const dashless = UUID.replaceAll('-', '');

describe('PIT UUID', () => {
  test.each([UUID, UUID.toUpperCase(), `{${UUID}}`, `{${UUID.toUpperCase()}}`, dashless, `{${dashless}}`])(
    '%s is one and the same',
    (text) => expect(parseUuid(text)).toBe(UUID),
  );

  test.each([
    ['', 'empty'],
    ['{}', 'empty braces'],
    [`{${UUID}`, 'open brace alone'],
    [`${UUID}}`, 'closing brace alone'],
    [`{{${UUID}}}`, 'two pairs of braces'],
    [`(${UUID})`, 'other brackets'],
    [` ${UUID}`, 'space before'],
    [`${UUID}\n`, 'line end after'],
    [`${UUID}\0`, 'NUL after'],
    [UUID.slice(1), 'a digit short'],
    [`${UUID}0`, 'a digit long'],
    [UUID.replace('e', 'g'), 'no hex digit'],
    ['e4f2eed037fe-4539-b50b-85d2e7fd235f', 'dashes in part'],
    ['e4f2-eed037fe-4539-b50b-85d2e7fd235f', 'dashes elsewhere'],
    ['е4f2eed0-37fe-4539-b50b-85d2e7fd235f', 'a Cyrillic letter'],
    ['00000000-0000-0000-0000-000000000000', 'the null UUID'],
    ['{00000000000000000000000000000000}', 'the null UUID in braces'],
  ])('%j is none: %s', (text) => {
    expect(parseUuid(text)).toBeNull();
    const error = refusal(() => requireUuid('pit', text));
    expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    expect(error.message).toContain(`pit is ${JSON.stringify(text)}`);
    expect(error.message).toContain('UUID');
  });

  test('a text that is no string is refused, not read as one', () => {
    for (const bad of [undefined, null, 5, {}, [UUID]]) {
      expect(refusal(() => requireUuid('pit', bad as string)).code).toBe('ERR_CBT_INVALID_ARGUMENT');
    }
  });
});

describe('ids from texts that were kept elsewhere', () => {
  const written = changeIdOf(3);

  test('are the same as the library writes them', () => {
    expect(pointId(`{${UUID.toUpperCase()}}`)).toBe(UUID);
    for (const text of [written, written.toUpperCase(), written.replaceAll(' ', '')])
      expect(changeId(text)).toBe(written);
    expect(changeId('52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81')).toMatch(/\/81$/);
  });

  test('of another kind are refused where they are read', () => {
    for (const [read, bad] of [
      [pointId, written],
      [pointId, '*'],
      [pointId, ''],
      [pointId, undefined as unknown as string],
      [changeId, UUID],
      [changeId, '*'],
      [changeId, 5 as unknown as string],
    ] as const)
      expect(refusal(() => read(bad)).code).toBe('ERR_CBT_INVALID_ARGUMENT');
  });
});

describe('segment name', () => {
  const record: SegmentName = { epoch: EPOCH, first: 3, last: 7, sizeBytes: 1 << 30, pit: pit(3) };

  test('is the record', () => {
    expect(formatSegmentName(record)).toBe(`cbt1.${EPOCH}.3-7.1073741824.${pit(3)}`);
    expect(formatSegmentName({ ...record, last: 3 })).toBe(`cbt1.${EPOCH}.3.1073741824.${pit(3)}`);
  });

  test('reads back to itself, and fits a QEMU bitmap name', () => {
    fc.assert(
      fc.property(
        uuids,
        uuids,
        sequences,
        fc.nat(9),
        fc.oneof(fc.constant(0), counts),
        (epoch, p, first, more, sizeBytes) => {
          const last = Math.min(first + more, MAX_SEQUENCE);
          const name = formatSegmentName({ epoch, first, last, sizeBytes, pit: p });
          expect(parseSegmentName(name)).toEqual({ epoch, first, last, sizeBytes, pit: p });
          expect(isUnreadableSegmentName(name)).toBe(false);
          expect(name.length).toBeLessThan(160);
          // Another spelling of the same record would be a second bitmap with the same meaning.
          expect(formatSegmentName(parseSegmentName(name)!)).toBe(name);
        },
      ),
    );
  });

  test.each([
    ['another version', `cbt2.${EPOCH}.1.0.${UUID}`],
    ['capitals', `cbt1.${EPOCH.toUpperCase()}.1.0.${UUID}`],
    ['sequence 0', `cbt1.${EPOCH}.0.0.${UUID}`],
    ['a leading zero', `cbt1.${EPOCH}.01.0.${UUID}`],
    ['a size with a leading zero', `cbt1.${EPOCH}.1.00.${UUID}`],
    ['a negative number', `cbt1.${EPOCH}.-1.0.${UUID}`],
    ['last before first', `cbt1.${EPOCH}.5-4.0.${UUID}`],
    ['last the same as first', `cbt1.${EPOCH}.5-5.0.${UUID}`],
    ['a sequence that no changeId has room for', `cbt1.${EPOCH}.${MAX_SEQUENCE + 1}.0.${UUID}`],
    ['a last that no changeId has room for', `cbt1.${EPOCH}.1-${MAX_SEQUENCE + 1}.0.${UUID}`],
    ['a size past exact numbers', `cbt1.${EPOCH}.1.9007199254740993.${UUID}`],
    ['an exponent', `cbt1.${EPOCH}.1e3.0.${UUID}`],
    ['a part too few', `cbt1.${EPOCH}.1.${UUID}`],
    ['a part too many', `cbt1.${EPOCH}.1.0.${UUID}.x`],
    ['braces', `cbt1.{${EPOCH}}.1.0.${UUID}`],
    ['a line end', `cbt1.${EPOCH}.1.0.${UUID}\n`],
    ['digits of another script', `cbt1.${EPOCH}.١.0.${UUID}`],
  ])('%s is not read, but seen to be a claim', (_, name) => {
    expect(parseSegmentName(name)).toBeNull();
    expect(isUnreadableSegmentName(name)).toBe(true);
  });

  test.each([
    '',
    'cbt',
    'cbt1',
    'backup',
    UUID,
    `CBT1.${EPOCH}.1.0.${UUID}`,
    ` cbt1.${EPOCH}.1.0.${UUID}`,
    'cbtx.1',
  ])('%j claims nothing', (name) => {
    expect(parseSegmentName(name)).toBeNull();
    expect(isUnreadableSegmentName(name)).toBe(false);
  });

  test.each<[string, Partial<SegmentName>]>([
    ['an epoch in capitals', { epoch: EPOCH.toUpperCase() }],
    ['last before first', { last: 2 }],
    ['a size that is no integer', { sizeBytes: 0.5 }],
    ['a size past exact numbers', { sizeBytes: 2 ** 53 }],
    ['a sequence that no changeId has room for', { last: 2 ** 21 }],
    ['NaN', { first: Number.NaN }],
    ['a text with dots for a PIT', { pit: 'a.b' }],
  ])('a record that would not read back is never written: %s', (_, wrong) => {
    expect(refusal(() => formatSegmentName({ ...record, ...wrong }))).toMatchObject({
      code: 'ERR_CBT_INTERNAL',
    });
  });

  test('of texts put together from its own parts, only the ones it would write itself are read', () => {
    const part = fc.constantFrom<string[]>(
      'cbt1',
      '.',
      '.',
      '-',
      EPOCH,
      UUID,
      '1',
      '23',
      '0',
      '\n',
      'é',
      '\ud800',
      '',
    );
    const right = fc.constant<string[]>(['cbt1', '.', EPOCH, '.', '1', '.', '0', '.', UUID]);
    fc.assert(
      fc.property(right, fc.nat(8), fc.nat(2), fc.array(part, { maxLength: 3 }), (parts, at, cut, more) => {
        const text = parts.toSpliced(at, cut, ...more).join('');
        const parsed = parseSegmentName(text);
        if (parsed !== null) expect(formatSegmentName(parsed)).toBe(text);
        expect(isUnreadableSegmentName(text)).toBe(parsed === null && /^cbt\d+\./.test(text));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('changeId', () => {
  const example = '52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81';
  /** How a containerized data importer tells a changeId from a snapshot name. */
  const cdi = /([0-9a-fA-F]{2}\s?)*-([0-9a-fA-F]{2}\s?)*\/([0-9a-fA-F]*)/;

  test("VMware's own example", () => {
    const epoch = '52dec0d9-b943-9d10-61d5-4c1be97b6563';
    // Read, because a client may come with one; no point in time of ours has such a number.
    expect(parseChangeId(example)).toEqual({ epoch, sequence: 0, check: 81 });
    const ours = formatChangeId({ epoch, sequence: 4, pit: UUID });
    expect(ours).toBe(`52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/${4 * 2 ** 32 + 0xe4f2eed0}`);
    for (const text of [example, ours]) expect(text).toMatch(cdi);
  });

  test.each([example.toUpperCase(), example.replaceAll(' ', ''), '52dec0d9b9439d10-61d54c1be97b6563/81'])(
    '%s means the same',
    (text) => expect(parseChangeId(text)).toEqual(parseChangeId(example)),
  );

  test('reads back to itself, in the shape that clients look for', () => {
    fc.assert(
      fc.property(uuids, sequences, uuids, (epoch, sequence, p) => {
        const text = formatChangeId({ epoch, sequence, pit: p });
        expect(parseChangeId(text)).toEqual({ epoch, sequence, check: Number.parseInt(p.slice(0, 8), 16) });
        expect(instantOf(text, p)).toEqual({ epoch, sequence, pit: p });
        expect(text).toMatch(cdi);
        expect(text.split('/')).toHaveLength(2);
        expect(text.split('/')[0]).toHaveLength(47);
      }),
    );
  });

  test('ascends within an epoch, whatever the points are called, and is exact', () => {
    const last = formatChangeId({
      epoch: UUID,
      sequence: MAX_SEQUENCE,
      pit: 'ffffffff-0000-4000-8000-000000000000',
    });
    expect(last.split('/')[1]).toBe(String(Number.MAX_SAFE_INTEGER));
    expect(parseChangeId(last)).toMatchObject({ sequence: MAX_SEQUENCE, check: 0xffffffff });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: MAX_SEQUENCE }), uuids, uuids, (sequence, a, b) => {
        const number = (at: number, p: string): number =>
          Number(formatChangeId({ epoch: UUID, sequence: at, pit: p }).split('/')[1]);
        expect(number(sequence, a)).toBeGreaterThan(number(sequence - 1, b));
      }),
    );
  });

  test('fits one instant alone: another epoch, another place or another PIT is none of its', () => {
    const instant = { epoch: EPOCH, sequence: 3, pit: pit(3) };
    const parsed = parseChangeId(formatChangeId(instant))!;
    expect(namesInstant(parsed, instant)).toBe(true);
    for (const other of [{ epoch: UUID }, { sequence: 4 }, { pit: pit(4) }])
      expect(namesInstant(parsed, { ...instant, ...other })).toBe(false);
    expect(instantOf(formatChangeId(instant), pit(4))).toBeNull();
    expect(instantOf(example, '00000051-0000-4000-8000-000000000000')).toBeNull();
    expect(instantOf('x', pit(3))).toBeNull();
  });

  test.each([
    ['', 'empty'],
    ['*', 'a star'],
    [UUID, 'a UUID'],
    [example.replace('/81', ''), 'no sequence'],
    [example.replace('/81', '/'), 'empty sequence'],
    [example.replace('/81', '/0'), 'sequence 0'],
    [example.replace('/81', '/081'), 'a leading zero'],
    [example.replace('/81', '/-1'), 'a negative sequence'],
    [example.replace('/81', '/5f'), 'a sequence in hex'],
    [example.replace('/81', '/9007199254740992'), 'a sequence past exact numbers'],
    [example.replace('/81', '/99999999999999999999'), 'a sequence of 20 digits'],
    [`${example}/1`, 'two slashes'],
    [`${example}\n`, 'a line end'],
    [` ${example}`, 'a space before'],
    [example.slice(3), 'a byte short'],
    [`00 ${example}`, 'a byte long'],
    [example.replace('52', '5g'), 'no hex digit'],
    [example.replace('-', ' '), 'no dash'],
    [example.replace('52 de', '5 2de'), 'a space inside a byte'],
    [example.replace('52 de', '52  de'), 'two spaces'],
  ])('%j is none: %s', (text) => expect(parseChangeId(text)).toBeNull());
});

describe('point', () => {
  test.each<[string, ReturnType<typeof parsePoint>]>([
    ['*', { kind: 'allocated' }],
    [UUID, { kind: 'pit', pit: UUID }],
    [`{${UUID.toUpperCase()}}`, { kind: 'pit', pit: UUID }],
    [changeIdOf(4), { kind: 'changeId', epoch: EPOCH, sequence: 4, check: 4 }],
    ['bitmap 0', { kind: 'name', name: 'bitmap 0' }],
    ['checkpoint:nightly', { kind: 'name', name: 'checkpoint:nightly', checkpoint: 'nightly' }],
    [`checkpoint:${UUID}`, { kind: 'name', name: `checkpoint:${UUID}`, checkpoint: UUID }],
    ['checkpoint:', { kind: 'name', name: 'checkpoint:' }],
    [' *', { kind: 'name', name: ' *' }],
    [`cbt1.${EPOCH}.1.0.${UUID}`, { kind: 'name', name: `cbt1.${EPOCH}.1.0.${UUID}` }],
    ['00000000-0000-0000-0000-000000000000', { kind: 'name', name: '00000000-0000-0000-0000-000000000000' }],
    ['é'.repeat(511), { kind: 'name', name: 'é'.repeat(511) }],
    ['x'.repeat(1023), { kind: 'name', name: 'x'.repeat(1023) }],
  ])('%s', (text, expected) => expect(parsePoint('from', text)).toEqual(expected));

  test.each([
    ['empty', ''],
    ['a byte too long', 'x'.repeat(1024)],
    ['a byte too long in UTF-8', 'é'.repeat(512)],
    ['very long', 'x'.repeat(10_000_000)],
  ])('refused: %s', (_, text) => {
    const error = refusal(() => parsePoint('from', text));
    expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    expect(error.message).toMatch(/^from is "x*é*…?", expected .* 1023 bytes/);
    expect(error.message.length).toBeLessThan(250);
  });

  test('an instant is read from its three parts, in any spelling of its UUIDs, and from nothing less', () => {
    const instant = { epoch: EPOCH, sequence: 3, pit: UUID };
    expect(parsePoint('from', instant)).toEqual({ kind: 'instant', ...instant });
    expect(parsePoint('from', { ...instant, pit: `{${UUID.toUpperCase()}}` })).toEqual({
      kind: 'instant',
      ...instant,
    });
    const bad = [
      { epoch: 'x' },
      { pit: '' },
      { pit: undefined },
      { sequence: 0 },
      { sequence: 1.5 },
      { sequence: 2 ** 21 },
    ];
    for (const wrong of bad) {
      const error = refusal(() => parsePoint('from', { ...instant, ...wrong } as typeof instant));
      expect(error).toMatchObject({
        code: 'ERR_CBT_INVALID_ARGUMENT',
        message: expect.stringContaining('from is '),
      });
    }
  });

  test('what is no text is refused, not read as one', () => {
    for (const bad of [undefined, null, 5, true, {}, ['*'], new String('*')]) {
      const error = refusal(() => parsePoint('from', bad as string));
      expect(error.code).toBe('ERR_CBT_INVALID_ARGUMENT');
      expect(error.message).toContain('from is ');
    }
  });

  test('every drawn UUID is a point in time', () => {
    for (let i = 0; i < 100; i += 1) expect(parsePoint('p', randomUUID()).kind).toBe('pit');
  });
});
