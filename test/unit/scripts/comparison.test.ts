/** What is exported is held against the SDKs' declarations; a parameter, a value or a property that differs is found. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { surface as parallels } from '../../../lib/facade/parallels/surface.js';
import type { SurfaceEntry } from '../../../lib/facade/surface.js';
import { surface as vixdisklib } from '../../../lib/facade/vixdisklib/surface.js';
import { surface as vsphere } from '../../../lib/facade/vsphere/surface.js';

interface Compared {
  functions: Map<string, string[]>;
  constants?: { declared: number; wrong: string[] };
  types: { name: string; lacking: string[]; more: string[]; wrong?: string[] }[];
}

const at = (path: string): URL => new URL(`../../../${path}`, import.meta.url);
const report = readFileSync(at('docs/api-report.txt'), 'utf8');
const script = async (name: string): Promise<unknown> => import(at(`scripts/sdk/${name}.mjs`).href);
const { readReport } = (await script('declarations')) as {
  readReport(text: string): Map<string, unknown>;
};

async function compared(sdk: string, text = report): Promise<Compared> {
  const { compare } = (await script(sdk)) as { compare(declarations: unknown): Compared };
  return compare(readReport(text).get(sdk));
}

/** The report with one thing in it otherwise. */
function changed(before: string, after: string): string {
  expect(report).toContain(before);
  return report.replace(before, after);
}

/** In words, all that differs in functions that the surface has, but for those that are absent. */
async function differences(sdk: string, surface: readonly SurfaceEntry[], text = report): Promise<string[]> {
  const { functions } = await compared(sdk, text);
  const there = surface.filter(({ status }) => status !== 'absent');
  return there.flatMap(({ name }) => (functions.get(name) ?? ['unknown']).map((one) => `${name}: ${one}`));
}

describe('qemu-cbt/parallels', () => {
  test('has the parameters, codes and constants of the SDK', async () => {
    expect(await differences('parallels', parallels)).toEqual([]);
    const { constants, types } = await compared('parallels');
    expect(constants?.declared).toBeGreaterThan(1900);
    expect(constants?.wrong).toEqual([]);
    expect(types.flatMap(({ lacking, more }) => [...lacking, ...more])).toEqual([]);
  });
  test('a parameter of another type, an order and a value are found', async () => {
    const swapped = changed(
      'PrlDiskMap_GetSize(map: PRL_HANDLE, sizeBits: Ref<number | undefined> | null)',
      'PrlDiskMap_GetSize(sizeBits: Ref<number | undefined> | null, map: PRL_HANDLE)',
    );
    expect(await differences('parallels', parallels, swapped)).toHaveLength(2);
    const { constants } = await compared(
      'parallels',
      changed('const PRL_ERR_NO_DATA = ', 'const PRL_ERR_NO_DATA = 1'),
    );
    expect(constants?.wrong).toHaveLength(1);
  });
});

describe('qemu-cbt/vixdisklib', () => {
  test('has the parameters, constants and structures of the header', async () => {
    expect(await differences('vixdisklib', vixdisklib)).toEqual([]);
    const { constants, functions, types } = await compared('vixdisklib');
    expect([...functions.keys()].sort()).toEqual(vixdisklib.map(({ name }) => name).sort());
    expect(constants?.wrong).toEqual([]);
    expect(types.length).toBeGreaterThanOrEqual(7);
    expect(types.flatMap(({ lacking, more }) => [...lacking, ...more])).toEqual([]);
  });
  test('a parameter of another name, a value and a field are found', async () => {
    const renamed = changed('VixDiskLib_Wait(diskHandle:', 'VixDiskLib_Wait(handle:');
    expect(await differences('vixdisklib', vixdisklib, renamed)).toHaveLength(1);
    const value = changed('const VIXDISKLIB_DISK_VMFS_THIN = 7', 'const VIXDISKLIB_DISK_VMFS_THIN = 8');
    expect((await compared('vixdisklib', value)).constants?.wrong).toHaveLength(1);
    const { types } = await compared('vixdisklib', changed('    numLinks: number;\n', ''));
    expect(types.flatMap(({ lacking }) => lacking)).toEqual(['numLinks']);
  });
});

describe('qemu-cbt/vsphere', () => {
  test('has the parameters of the API, and properties of its types', async () => {
    expect(await differences('vsphere', vsphere)).toEqual([
      'RetrieveContent: its ServiceContent has 3 of 46 properties (V13)',
    ]);
    const { types } = await compared('vsphere');
    expect(types.length).toBeGreaterThan(60);
    expect(types.flatMap(({ name, wrong }) => (wrong ?? []).map((one) => `${name}.${one}`))).toEqual([
      'VirtualHardware.numCPU may be missing',
      'VirtualHardware.memoryMB may be missing',
    ]);
  });
  test('an optional parameter, a property that is none and one of another type are found', async () => {
    const optional = changed(
      'deviceKey: number, startOffset: number',
      'deviceKey?: number, startOffset: number',
    );
    expect(await differences('vsphere', vsphere, optional)).toHaveLength(2);
    const wrongIn = async (before: string, after: string): Promise<number> =>
      (await compared('vsphere', changed(before, after))).types.flatMap(({ wrong }) => wrong ?? []).length;
    expect(await wrongIn('    eventChainId: number;', '    eventId: number;')).toBe(3);
    expect(
      await wrongIn("    readonly sharedBus: 'noSharing';", "    readonly sharedBus: 'none';"),
    ).toBeGreaterThan(2);
  });
});
