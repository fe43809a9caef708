/** A command line that no path, name or format can bend. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { qemuNbdCommand } from '../../../lib/backend/nbd/qemuNbdCommand.js';
import { withFolder } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';

afterEach(() => {
  delete process.env['QEMU_NBD'];
});

const imageOf = (command: readonly string[]) => JSON.parse(command.at(-1)!.slice('json:'.length));

describe('the command line of qemu-nbd', () => {
  test.each(['a,b=c.qcow2', 'json:{"driver":"null-co"}', '-r.qcow2', 'nbd:unix:x', 'näme "quoted"\n.img'])(
    'takes %j as a path and nothing else',
    async (name) => {
      await withFolder(async (folder) => {
        const file = join(folder, name);
        await writeFile(file, '');
        const command = await qemuNbdCommand({ file, format: 'qcow2', program: 'qemu-nbd' });
        expect(command).toHaveLength(3);
        expect(command.slice(0, 2)).toEqual(['qemu-nbd', '--read-only']);
        expect(imageOf(command)).toEqual({ driver: 'qcow2', file: { driver: 'file', filename: file } });
      });
    },
  );

  test('names bitmaps, the layer alone and the program', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'a');
      await writeFile(file, '');
      process.env['QEMU_NBD'] = '/opt/qemu-nbd';
      const options = {
        bitmaps: ['--help', 'b'],
        allocationDepth: true,
        withoutBacking: true,
        readOnly: false,
      };
      const command = await qemuNbdCommand({ file, format: 'qcow2', ...options });
      expect(command.slice(0, -1)).toEqual([
        '/opt/qemu-nbd',
        '--discard=unmap',
        '--bitmap=--help',
        '--bitmap=b',
        '--allocation-depth',
      ]);
      expect(imageOf(command).backing).toBeNull();
    });
  });

  test.each([
    [{ file: '', format: 'raw' }, 'ERR_CBT_INVALID_ARGUMENT'],
    [{ file: 'a\0b', format: 'raw' }, 'ERR_CBT_INVALID_ARGUMENT'],
    [{ file: '/dev/null', format: '' }, 'ERR_CBT_INVALID_ARGUMENT'],
    [{ file: '/dev/null', format: 'raw,x=y' }, 'ERR_CBT_INVALID_ARGUMENT'],
    [{ file: '/does/not/exist', format: 'raw' }, 'ERR_CBT_BACKEND_UNAVAILABLE'],
    [{ file: '/tmp', format: 'raw' }, 'ERR_CBT_UNSUPPORTED'],
    [{ file: '/dev/null', format: 'raw' }, 'ERR_CBT_UNSUPPORTED'],
  ])('refuses %j', async (image, code) => {
    expect((await refusalOf(qemuNbdCommand(image))).code).toBe(code);
  });
});
