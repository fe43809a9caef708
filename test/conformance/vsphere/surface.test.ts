/** The surface list is what the package offers and what is tested: one conformance test for each method. */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { connect, VirtualMachine, VirtualMachineSnapshot } from '../../../lib/facade/vsphere/index.js';
import { surface } from '../../../lib/facade/vsphere/surface.js';

test('every method is there and has its test', () => {
  const service = connect({ vms: [] });
  const places = [
    VirtualMachine.prototype,
    VirtualMachineSnapshot.prototype,
    service,
    service.content.searchIndex,
  ];
  const tests = readdirSync(new URL('.', import.meta.url)).map((file) => file.replace('.test.ts', ''));
  for (const { name, status, reason } of surface) {
    expect([
      name,
      places.some((place) => typeof (place as unknown as Record<string, unknown>)[name] === 'function'),
    ]).toEqual([name, true]);
    expect([name, tests.includes(name)]).toEqual([name, true]);
    expect([name, status === 'full' || (reason ?? '').length > 5]).toEqual([name, true]);
  }
});
