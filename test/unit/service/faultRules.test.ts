/** Which calls meet a rule: by counts and by a seed, and by nothing else. */
import { expect, test } from 'vitest';
import { CbtError } from '../../../lib/core/errors.js';
import { drawing } from '../../../lib/demo/demoMachine.js';
import { TYPES } from '../../../lib/facade/vsphere/schema/schema.js';
import { faultNamed } from '../../../lib/service/vim/faults/faultNames.js';
import { FaultRules, parseFaultPlan } from '../../../lib/service/vim/faults/faultRules.js';
import { ValueWriter } from '../../../lib/service/vim/soap/writeValue.js';

const rulesOf = (said: unknown): FaultRules =>
  new FaultRules(parseFaultPlan('rules', JSON.stringify(said)), () => Promise.resolve(), drawing);

test('a rule begins with its call, and ends after so many', () => {
  const rules = rulesOf({
    rules: [
      { on: 'Login', nth: 2, do: 'delay:5' },
      { on: 'Login', nth: 2, times: 2, do: 'hang' },
      { on: '*', do: 'close' },
    ],
  });
  const kinds = (method: string) => rules.next(method).map(({ kind }) => kind);
  expect(['Login', 'Logout', 'Login', 'Login', 'Login'].map(kinds)).toEqual([
    ['close'],
    ['close'],
    ['delay', 'hang', 'close'],
    ['hang', 'close'],
    ['close'],
  ]);
  expect(rules.state).toEqual({ seed: 1, calls: [4, 4, 5] });
});

test('what chance decides is the same for the same seed', () => {
  const met = (seed: number): boolean[] => {
    const rules = rulesOf({ seed, rules: [{ on: '*', perThousand: 300, do: 'hang' }] });
    return Array.from({ length: 200 }, () => rules.next('Login').length > 0);
  };
  expect(met(5)).toEqual(met(5));
  expect(met(5)).not.toEqual(met(6));
  const count = met(5).filter(Boolean).length;
  expect(count > 30 && count < 90).toBe(true);
});

test.each([
  ['{', 'is no JSON'],
  ['[]', 'it is []'],
  ['{"rules":[{"on":"Nothing","do":"hang"}]}', 'rules.0.on is "Nothing", expected the name of a method'],
  ['{"rules":[{"on":"Login","do":"delay"}]}', 'rules.0.do is "delay"'],
  ['{"rules":[{"on":"Login","do":"page:0"}]}', 'rules.0.do is "page:0"'],
  ['{"rules":[{"on":"Login","do":"FileFault:WORDS"}]}', 'rules.0.do is "FileFault:WORDS"'],
  ['{"rules":[{"on":"Login","do":"hang","nth":0}]}', 'rules.0.nth is 0'],
])('%s is refused with its place', (text, words) => {
  expect(() => parseFaultPlan('rules', text)).toThrow(words);
  expect(() => parseFaultPlan('rules', text)).toThrow(CbtError);
});

test('every fault of the API can be sent, with the fields that it must have', () => {
  const writer = new ValueWriter();
  const names = [...TYPES.values()].filter(({ kind }) => kind === 'fault').map(({ name }) => name);
  const object = { type: 'VirtualMachine', value: 'vm-1' };
  for (const name of names) {
    const fault = faultNamed(name, object);
    expect([name, fault?._type]).toEqual([name, name]);
    expect(writer.faultDetail(fault!)).toContain(`<${name}Fault xmlns="urn:vim25" xsi:type="${name}">`);
  }
  expect(writer.faultDetail(faultNamed('FileFault', object)!)).toContain('<file>');
  expect(faultNamed('Nothing', object)).toBeNull();
});
