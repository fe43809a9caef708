/** What the calls that make, move and remove images do to files that somebody uses, or made meanwhile. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Holding, ImageHolder } from '../../helpers/imageHolder.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { connect, makeImage, open, path, QCOW2, useLibrary, vix } from './support.js';

const run = promisify(execFile);
useLibrary();

const clone = async (from: string, to: string, overwrite = true): Promise<number> => {
  const connection = await connect();
  return vix.VixDiskLib_Clone(connection, to, connection, from, QCOW2, null, null, overwrite);
};

describe.each<Holding>(['daemon rw', 'daemon ro'])('an image held by %s', (holding) => {
  test('is neither removed, renamed, replaced, grown nor repaired, and the holder is named', async () => {
    const disk = await makeImage('disk.qcow2');
    const other = await makeImage('other.qcow2');
    const { ino } = statSync(disk);
    const connection = await connect();
    const holder = await ImageHolder.hold(disk, holding);
    try {
      const calls = {
        unlink: () => vix.VixDiskLib_Unlink(connection, disk),
        rename: () => vix.VixDiskLib_Rename(disk, path('new.qcow2')),
        clone: () => clone(other, disk),
        grow: () => vix.VixDiskLib_Grow(connection, disk, 4096, false),
        repair: () => vix.VixDiskLib_CheckRepair(connection, disk, true),
      };
      for (const [name, call] of Object.entries(calls)) {
        const code = await call();
        expect([name, code]).toEqual([name, vix.VIX_E_FILE_ALREADY_LOCKED]);
        expect(vix.VixDiskLib_GetErrorText(code, null)).toMatch(
          /qemu-storage-\w+ \(process \d+\) has it open/,
        );
      }
      // These never replace anything, whoever has it open.
      expect(await vix.VixDiskLib_Create(connection, disk, QCOW2)).toBe(vix.VIX_E_FILE_ALREADY_EXISTS);
      expect(await clone(other, disk, false)).toBe(vix.VIX_E_FILE_ALREADY_EXISTS);
    } finally {
      await holder.release();
    }
    expect(statSync(disk).ino).toBe(ino);
    expect(readdirSync(path('.')).sort()).toEqual(['disk.qcow2', 'other.qcow2']);
    expect(await vix.VixDiskLib_Rename(disk, path('new.qcow2'))).toBe(vix.VIX_OK);
    expect(await clone(other, path('new.qcow2'))).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Unlink(connection, path('new.qcow2'))).toBe(vix.VIX_OK);
  });
});

test('a disk that is open here is in use', async () => {
  const disk = await makeImage('disk.qcow2');
  const handle = await open(disk);
  const connection = await connect();
  expect(await vix.VixDiskLib_Unlink(connection, disk)).toBe(vix.VIX_E_FILE_ALREADY_LOCKED);
  expect(await vix.VixDiskLib_Close(handle)).toBe(vix.VIX_OK);
  expect(await vix.VixDiskLib_Unlink(connection, disk)).toBe(vix.VIX_OK);
});

test('a clone does not replace a layer or an extent of what it copies', async () => {
  const base = await makeImage('base.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', path('top.qcow2'));
  await qemuImg('create', '-q', '-f', 'vmdk', '-o', 'subformat=monolithicFlat', path('flat.vmdk'), '1M');
  symlinkSync(base, path('link.qcow2'));
  for (const [from, to] of [
    ['top.qcow2', 'top.qcow2'],
    ['top.qcow2', 'base.qcow2'],
    ['top.qcow2', 'link.qcow2'],
    ['flat.vmdk', 'flat-flat.vmdk'],
  ] as const) {
    const { ino } = statSync(path(to));
    expect([to, await clone(path(from), path(to))]).toEqual([to, vix.VIX_E_INVALID_ARG]);
    expect(statSync(path(to)).ino).toBe(ino);
  }
});

test('a clone and its temporary name: what has the name of an earlier one stays', async () => {
  const from = await makeImage('a.qcow2', 1 << 20, ['write -P 5 0 64k']);
  writeFileSync(path('b.vmdk.cloning.vmdk'), 'mine');
  expect(await clone(from, path('b.vmdk'), false)).toBe(vix.VIX_OK);
  expect(readFileSync(path('b.vmdk.cloning.vmdk'), 'utf8')).toBe('mine');
});

test('a clone for which there is no room leaves the old file whole and nothing beside it', async () => {
  const from = await makeImage('a.qcow2', 8 << 20, ['write -P 5 0 8M']);
  await mkdir(path('small'));
  await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', path('small')]);
  try {
    writeFileSync(path('small/b.qcow2'), 'old');
    expect(await clone(from, path('small/b.qcow2'))).not.toBe(vix.VIX_OK);
    expect(readFileSync(path('small/b.qcow2'), 'utf8')).toBe('old');
    expect(readdirSync(path('small'))).toEqual(['b.qcow2']);
  } finally {
    await run('umount', [path('small')]);
  }
});

test.each([1, 2] as const)(
  'of two that make an image of type %i of one name at once, one is told that it is there',
  async (diskType) => {
    const connection = await connect();
    for (let round = 0; round < 5; round += 1) {
      const file = path(`disk-${round}.vmdk`);
      const sizes = [2048, 4096];
      const codes = await Promise.all(
        sizes.map((capacity) => vix.VixDiskLib_Create(connection, file, { ...QCOW2, diskType, capacity })),
      );
      expect([...codes].sort((a, b) => a - b)).toEqual([vix.VIX_OK, vix.VIX_E_FILE_ALREADY_EXISTS]);
      const info = JSON.parse(await qemuImg('info', '--output=json', '-f', 'vmdk', file));
      expect(info['virtual-size']).toBe((sizes[codes.indexOf(vix.VIX_OK)] ?? 0) * 512);
    }
  },
);

test('a rename takes no metadata of somebody’s for its own', async () => {
  const disk = await makeImage('a.qcow2');
  writeFileSync(path('b.qcow2.metadata.json'), '{"theirs":"yes"}');
  expect(await vix.VixDiskLib_Rename(disk, path('b.qcow2'))).toBe(vix.VIX_E_FILE_ALREADY_EXISTS);
  expect(readFileSync(path('b.qcow2.metadata.json'), 'utf8')).toBe('{"theirs":"yes"}');
  expect(existsSync(disk)).toBe(true);
});

test('a link that leads nowhere is no free name', async () => {
  const disk = await makeImage('a.qcow2');
  symlinkSync('nowhere', path('b.qcow2'));
  const connection = await connect();
  expect(await vix.VixDiskLib_Create(connection, path('b.qcow2'), QCOW2)).toBe(vix.VIX_E_FILE_ALREADY_EXISTS);
  expect(await vix.VixDiskLib_Rename(disk, path('b.qcow2'))).toBe(vix.VIX_E_FILE_ALREADY_EXISTS);
  expect(existsSync(path('nowhere'))).toBe(false);
});

test('a child is made over an open disk', async () => {
  const handle = await open(await makeImage('a.qcow2', 1 << 20, ['write -P 5 0 64k']));
  expect(await vix.VixDiskLib_CreateChild(handle, path('c.qcow2'), 1)).toBe(vix.VIX_OK);
  expect(await vix.VixDiskLib_CreateChild(handle, path('c.qcow2'), 1)).toBe(vix.VIX_E_FILE_ALREADY_EXISTS);
  expect(await vix.VixDiskLib_Close(handle)).toBe(vix.VIX_OK);
  await qemuIo(['-r', '-f', 'qcow2', path('c.qcow2')], 'read -P 5 0 64k');
});
