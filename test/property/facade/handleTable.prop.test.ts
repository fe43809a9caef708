/** The handle table against a plain list of owners: whatever the order of calls, a handle lives exactly as long as its references. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HandleNumbers, HandleTable } from '../../../lib/facade/handleTable.js';

class Thing {
  constructor(readonly id: number) {}
}
class Other {}

const step = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), which: fc.nat(7) }),
  fc.record({ kind: fc.constantFrom('reference' as const, 'release' as const), which: fc.nat(11) }),
  fc.record({ kind: fc.constant('clear' as const), which: fc.constant(0) }),
);

test('handles and references are those of the model', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const table = new HandleTable(new HandleNumbers(0xface));
      const things = Array.from({ length: 8 }, (_, id) => new Thing(id));
      const given: number[] = [];
      const model = new Map<number, { thing: Thing; references: number }>();
      for (const { kind, which } of steps) {
        if (kind === 'add') {
          const thing = things[which]!;
          const handle = table.add(thing);
          const there = [...model].find(([, entry]) => entry.thing === thing);
          if (there === undefined) {
            expect(given).not.toContain(handle);
            given.push(handle);
            model.set(handle, { thing, references: 1 });
          } else {
            expect(handle).toBe(there[0]);
            there[1].references += 1;
          }
        } else if (kind === 'clear') {
          expect(new Set(table.clear())).toEqual(new Set([...model.values()].map(({ thing }) => thing)));
          model.clear();
        } else {
          const handle = given[which] ?? 0xface - 1;
          const entry = model.get(handle);
          if (kind === 'reference') {
            expect(table.addReference(handle)).toBe(entry !== undefined);
            if (entry !== undefined) entry.references += 1;
          } else {
            const released = table.release(handle);
            if (entry === undefined) expect(released).toBeUndefined();
            else {
              entry.references -= 1;
              expect(released).toBe(entry.references === 0 ? entry.thing : null);
              if (entry.references === 0) model.delete(handle);
            }
          }
        }
        expect(table.size).toBe(model.size);
        for (const handle of given) {
          expect(table.get(handle, Thing)).toBe(model.get(handle)?.thing);
          expect(table.get(handle, Other)).toBeUndefined();
        }
      }
    }),
  );
});

test('what is no handle is not found, whatever it is', () => {
  const table = new HandleTable(new HandleNumbers(0xface));
  const handle = table.add(new Thing(0));
  for (const forged of [
    0,
    -1,
    handle + 1,
    handle + 0.5,
    Number.NaN,
    Infinity,
    String(handle),
    BigInt(handle),
    null,
    undefined,
    {},
    [handle],
  ]) {
    expect(table.has(forged)).toBe(false);
    expect(table.addReference(forged)).toBe(false);
    expect(table.release(forged)).toBeUndefined();
  }
  expect(table.size).toBe(1);
});
