import { describe, expect, test } from 'vitest';
import { startQemuNbd } from '../../helpers/nbdServers.js';
import { writeHds } from '../../helpers/parallelsBuilder.js';
import { qemuImg, writeRecorded } from '../../helpers/qemuTools.js';
import { bitsOf, KIB64, makeImage, mapOf, open, path, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlDisk_GetChangesMap_Local', () => {
  test('NULL: what holds data; a point: what changed since; two points: what changed between', async () => {
    const { file, pits } = await makeImage([[[0, 512]], [[10 * KIB64, 512]], [[63 * KIB64, 512]]]);
    const [first, second, third] = pits as [string, string, string];
    const disk = await open(file);
    expect(bitsOf(await mapOf(disk, null))).toEqual([0, 10, 63]);
    expect(bitsOf(await mapOf(disk, first))).toEqual([0, 10, 63]);
    expect(bitsOf(await mapOf(disk, second))).toEqual([10, 63]);
    expect(bitsOf(await mapOf(disk, first, second))).toEqual([0]);
    expect(bitsOf(await mapOf(disk, second, third))).toEqual([10]);
  });
  test('UUIDs are the same in any spelling', async () => {
    const { file, pits } = await makeImage();
    const disk = await open(file);
    const pit = pits[1]!;
    for (const spelled of [`{${pit}}`, `{${pit.toUpperCase()}}`, pit.replaceAll('-', '')])
      expect(bitsOf(await mapOf(disk, spelled))).toEqual([10]);
  });
  test('a point that is unknown, empty, or the wrong way round is PRL_ERR_NO_DATA, never a map', async () => {
    const { file, pits } = await makeImage();
    const disk = await open(file);
    const map = ref<number>();
    const ask = (a: string | null, b: string | null): Promise<number> =>
      prl.PrlDisk_GetChangesMap_Local(disk, a, b, map);
    for (const [a, b] of [
      ['{00000000-1111-4222-8333-444444444444}', null],
      ['', null],
      ['*', null],
      [pits[1]!, pits[0]!],
      [pits[0]!, '{00000000-1111-4222-8333-444444444444}'],
      [null, pits[0]!],
    ] as const)
      expect([a, b, await ask(a, b)]).toEqual([a, b, prl.PRL_ERR_NO_DATA]);
    expect(map.value).toBeUndefined();
    expect(await prl.PrlDisk_GetChangesMap_Local(disk, pits[0]!, null, null)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(await prl.PrlDisk_GetChangesMap_Local(3, pits[0]!, null, map)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
  test('a Parallels image answers from its own bitmap, at its own granularity', async () => {
    const id = '00112233-4455-6677-8899-aabbccddeeff';
    writeHds(path('a.hds'), {
      clusterSectors: 8,
      diskSectors: 1024,
      allocated: [3],
      bitmaps: [{ id, granularitySectors: 1, bits: [0, 9, 1023] }],
    });
    const disk = await open(path('a.hds'));
    const map = await mapOf(disk, `{${id}}`);
    const granularity = ref<number>();
    prl.PrlDiskMap_GetGranularity(map, granularity);
    expect(granularity.value).toBe(512);
    expect(bitsOf(map)).toEqual([0, 9, 1023]);
    expect(bitsOf(await mapOf(disk, null))).toEqual([0]);
  });
  test('an NBD export answers from a bitmap named with or without braces', async () => {
    const file = path('n.qcow2');
    const [braced, bare] = ['{aaaaaaaa-1111-4222-8333-444444444444}', 'bbbbbbbb-1111-4222-8333-444444444444'];
    await qemuImg('create', '-q', '-f', 'qcow2', file, '4M');
    for (const name of [braced, bare]) await qemuImg('bitmap', '--add', file, name);
    await writeRecorded(file, [[5 * KIB64, 512]]);
    const server = await startQemuNbd(
      path('.'),
      '-r',
      '-e',
      '5',
      '-f',
      'qcow2',
      '-B',
      braced,
      '-B',
      bare,
      file,
    );
    const disk = await open(`nbd+unix:///?socket=${server.socket}`);
    expect(bitsOf(await mapOf(disk, 'AAAAAAAA-1111-4222-8333-444444444444'))).toEqual([5]);
    expect(bitsOf(await mapOf(disk, `{${bare}}`))).toEqual([5]);
    expect(bitsOf(await mapOf(disk, null))).toEqual([5]);
    const map = ref<number>();
    expect(
      await prl.PrlDisk_GetChangesMap_Local(disk, '{cccccccc-1111-4222-8333-444444444444}', null, map),
    ).toBe(prl.PRL_ERR_NO_DATA);
    await prl.PrlDisk_Free(disk);
    await server.stop();
  });
});
