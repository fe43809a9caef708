/** A command line that no path, name or format can bend. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { qemuNbdCommand } from '../../../../lib/backend/nbd/qemuNbdCommand.js';
import { openData } from '../../../../lib/host/data.js';
import { withFolder } from '../../../helpers/qemuTools.js';
import { refusal, refusalOf } from '../../../helpers/refusal.js';
import { servedImage } from '../../../helpers/servedImage.js';

afterEach(() => {
  delete process.env['QEMU_NBD'];
});

const imageOf = (command: readonly string[]) => JSON.parse(command.at(-1)!.slice('json:'.length));

describe('the command line of qemu-nbd', () => {
  test.each(['a,b=c.raw', 'json:{"driver":"null-co"}', '-r.raw', 'nbd:unix:x', 'näme "quoted"\n.img'])(
    'takes %j as a path and nothing else',
    async (name) => {
      await withFolder(async (folder) => {
        const file = join(folder, name);
        await writeFile(file, '');
        const command = qemuNbdCommand(await servedImage({ file, format: 'raw', program: 'qemu-nbd' }));
        expect(command).toHaveLength(3);
        expect(command.slice(0, 2)).toEqual(['qemu-nbd', '--read-only']);
        expect(imageOf(command)).toEqual({ driver: 'raw', file: { driver: 'file', filename: file } });
      });
    },
  );

  test('names bitmaps and the program', () => {
    process.env['QEMU_NBD'] = '/opt/qemu-nbd';
    const command = qemuNbdCommand({
      file: 'a',
      node: { driver: 'null-co' },
      bitmaps: ['--help', 'b'],
      allocationDepth: true,
      readOnly: false,
    });
    expect(command).toEqual([
      '/opt/qemu-nbd',
      '--discard=unmap',
      '--bitmap=--help',
      '--bitmap=b',
      '--allocation-depth',
      'json:{"driver":"null-co"}',
    ]);
  });

  test('is not made of nothing', () => {
    expect(refusal(() => qemuNbdCommand({} as never)).code).toBe('ERR_CBT_INVALID_ARGUMENT');
  });
});

describe('an image to be served', () => {
  test.each([
    [{ file: '', format: 'raw' }, 'ERR_CBT_INVALID_ARGUMENT'],
    [{ file: 'a\0b', format: 'raw' }, 'ERR_CBT_INVALID_ARGUMENT'],
    [{ file: '/dev/null', format: '' }, 'ERR_CBT_INVALID_ARGUMENT'],
    [{ file: '/dev/null', format: 'raw,x=y' }, 'ERR_CBT_INVALID_ARGUMENT'],
    [{ file: '/does/not/exist', format: 'raw' }, 'ERR_CBT_BACKEND_UNAVAILABLE'],
    [{ file: '/tmp', format: 'raw' }, 'ERR_CBT_INVALID_ARGUMENT'],
    [{ file: '/dev/null', format: 'raw' }, 'ERR_CBT_INVALID_ARGUMENT'],
  ])('%j is refused', async (image, code) => {
    expect((await refusalOf(openData({ kind: 'qemu-nbd', ...image }))).code).toBe(code);
  });
});
