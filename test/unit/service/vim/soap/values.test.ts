/** Values go over the wire and come back: by the types and the order of the API, whatever characters they have. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InvalidRequest, TaskInProgress } from '../../../../../lib/facade/vsphere/index.js';
import { allFields, METHODS } from '../../../../../lib/facade/vsphere/schema/schema.js';
import { readXml } from '../../../../../lib/service/vim/soap/element.js';
import { readFields, readValue } from '../../../../../lib/service/vim/soap/readValue.js';
import { Typed, ValueWriter } from '../../../../../lib/service/vim/soap/writeValue.js';

const writer = new ValueWriter();
const wrap = (text: string) =>
  readXml(
    `<r xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">${text}</r>`,
  );
const back = (tag: string, type: string, text: string) => readValue(wrap(text).children[0]!, type, tag);

describe('a data object', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 });
  const spec = fc.record(
    {
      _type: fc.constant('PropertySpec'),
      type: text,
      all: fc.boolean(),
      pathSet: fc.array(text, { maxLength: 3 }),
    },
    { requiredKeys: ['_type', 'type', 'pathSet'] },
  );

  test('comes back as it was written', () => {
    fc.assert(
      fc.property(spec, (value) => {
        expect(back('x', 'PropertySpec', writer.element('x', 'PropertySpec', value))).toEqual(value);
      }),
    );
  });

  test('has its fields in the order of the API, whatever order they were given in', () => {
    const info = {
      eventChainId: 1,
      state: 'running',
      key: 'k',
      cancelled: false,
      task: { type: 'Task', value: 't' },
    };
    const written = wrap(writer.element('info', 'TaskInfo', info)).children[0]!.children.map(
      ({ name }) => name,
    );
    expect(written).toEqual(['key', 'task', 'state', 'cancelled', 'eventChainId']);
    expect(
      allFields('TaskInfo')
        .map(({ name }) => name)
        .filter((name) => written.includes(name)),
    ).toEqual(written);
  });

  test('says its type where it is another one than declared, and members of a list of any type each do', () => {
    expect(writer.element('reason', 'TaskReason', { _type: 'TaskReasonUser', userName: 'a' })).toBe(
      '<reason xsi:type="TaskReasonUser"><userName>a</userName></reason>',
    );
    const references = [{ type: 'VirtualMachine', value: 'vm-1' }];
    expect(writer.element('val', 'anyType', new Typed(references, 'ManagedEntity[]'))).toBe(
      '<val xsi:type="ArrayOfManagedObjectReference"><ManagedObjectReference xsi:type="ManagedObjectReference" type="VirtualMachine">vm-1</ManagedObjectReference></val>',
    );
    expect(writer.element('val', 'anyType', new Typed([], 'View[]'))).toBe(
      '<val xsi:type="ArrayOfManagedObjectReference"></val>',
    );
    expect(writer.element('val', 'anyType', new Typed([1], 'int[]'))).toBe(
      '<val xsi:type="ArrayOfInt"><int xsi:type="xsd:int">1</int></val>',
    );
    expect(writer.element('val', 'anyType', new Typed('poweredOn', 'VirtualMachinePowerState'))).toBe(
      '<val xsi:type="VirtualMachinePowerState">poweredOn</val>',
    );
  });

  test('holds a fault with the words of it', () => {
    const fault = new TaskInProgress('busy & more', { task: { type: 'Task', value: 'task-1' } });
    const [error] = wrap(writer.element('error', 'MethodFault', fault)).children;
    expect(error?.children.map(({ name, xsiType, text }) => [name, xsiType, text])).toEqual([
      ['fault', 'TaskInProgress', ''],
      ['localizedMessage', null, 'busy & more'],
    ]);
  });

  test('is the same whole and in pieces', () => {
    const changedArea = Array.from({ length: 5000 }, (_, i) => ({ start: i * 131_072, length: 65_536 }));
    const value = { startOffset: 0, length: 2 ** 40, changedArea };
    const pieces = [...writer.pieces('returnval', 'DiskChangeInfo', value)];
    expect(pieces.join('')).toBe(writer.element('returnval', 'DiskChangeInfo', value));
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(70_000);
  });
});

describe('arguments', () => {
  const { parameters } = METHODS.get('VirtualMachine.QueryChangedDiskAreas')!;
  const read = (inner: string) => readFields(parameters, wrap(inner).children, '');
  const good = '<deviceKey>2000</deviceKey><startOffset>0</startOffset><changeId>*</changeId>';

  test('have their types, and what was left out is absent', () => {
    expect(read(good).values).toEqual({ deviceKey: 2000, startOffset: 0, changeId: '*' });
    expect(read(`<snapshot xsi:nil="true"/>${good}`).values).not.toHaveProperty('snapshot');
    expect(
      read(`<snapshot type="VirtualMachineSnapshot">1-snapshot-2</snapshot>${good}`).values['snapshot'],
    ).toEqual({
      type: 'VirtualMachineSnapshot',
      value: '1-snapshot-2',
    });
    expect(read(`${good}<new>1</new>`).unknown).toEqual(['new']);
  });

  test.each([
    ['<startOffset>0</startOffset><changeId>*</changeId>', 'deviceKey'],
    [good.replace('2000', 'two'), 'deviceKey'],
    [good.replace('2000', '2147483648'), 'deviceKey'],
    [good.replace('>0<', '>1e3<'), 'startOffset'],
    [good.replace('*', '<b/>'), 'changeId'],
  ])('%s is InvalidRequest', (inner, property) => {
    expect(() => read(inner)).toThrow(InvalidRequest);
    expect(() => read(inner)).toThrow(new RegExp(`^${property} `));
  });

  test('of whole numbers reach to the ends of their type', () => {
    for (const [deviceKey, startOffset] of [
      ['2147483647', '9223372036854775807'],
      ['-2147483648', '-9223372036854775808'],
    ] as const)
      expect(read(good.replace('2000', deviceKey).replace('>0<', `>${startOffset}<`)).values).toEqual({
        deviceKey: Number(deviceKey),
        startOffset: Number(startOffset),
        changeId: '*',
      });
    expect(() => read(good.replace('>0<', '>9223372036854775808<'))).toThrow(InvalidRequest);
    expect(() => read(good.replace('>0<', `>${'9'.repeat(100_000)}<`))).toThrow(InvalidRequest);
  });

  test('that are there twice are refused', () => {
    expect(() => read(`${good}<changeId>*</changeId>`)).toThrow('changeId is there twice');
  });

  test('of booleans are words or digits', () => {
    const { parameters: of } = METHODS.get('VirtualMachineSnapshot.RemoveSnapshot_Task')!;
    for (const [text, value] of [
      ['1', true],
      ['0', false],
      ['true', true],
      [' false ', false],
    ] as const)
      expect(
        readFields(of, wrap(`<removeChildren>${text}</removeChildren>`).children, '').values[
          'removeChildren'
        ],
      ).toBe(value);
    expect(() => readFields(of, wrap('<removeChildren>yes</removeChildren>').children, '')).toThrow(
      InvalidRequest,
    );
  });
});
