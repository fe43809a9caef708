/** Names of files and bitmaps that would command the terminal of whoever looks at them, through the real commands. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cli } from '../../helpers/cli.js';
import { qemuImg, withFolder } from '../../helpers/qemuTools.js';

const EVIL = '\x1b[2J\x1b]0;owned\x07\u202ereversed\u2069\x9b31m\n\rfaked line';
const HIDDEN = /(?![\n\t])[\p{Cc}\p{Cf}]/u;

test('every command shows such a name, and sends none of it', async () => {
  await withFolder(async (folder) => {
    const image = join(folder, `${EVIL}.qcow2`);
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder, 'a'), '1M');
    await qemuImg('bitmap', '--add', '-f', 'qcow2', join(folder, 'a'), 'theirs \x1b[1m\u202e');
    await rename(join(folder, 'a'), image);
    const broken = join(folder, `broken ${EVIL}`);
    await writeFile(broken, Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(600)]));
    const to = join(folder, `backups ${EVIL}`);
    const svg = join(folder, 'map.svg');
    for (const words of [
      ['enable', image],
      ['pits', image],
      ['pits', image, '--json'],
      ['pits', broken],
      ['pits', `${image}.gone`],
      ['pits', image, EVIL],
      [EVIL],
      ['changes', image, '--from', '*'],
      ['changes', image, '--from', EVIL],
      ['changes', image, '--from', 'theirs \x1b[1m\u202e'],
      ['map', image, '--from', '*'],
      ['map', image, '--from', '*', '--svg', svg],
      ['map', image, '--html', join(folder, 'map.html')],
      ['doctor', image, broken],
      ['estimate', image, '--to', to],
      ['backup', image, broken, '--to', to, '--map'],
      ['backup', image, '--to', to, '--json'],
      ['verify', '--from', to],
      ['restore', '--from', to, '--to', join(folder, EVIL)],
      ['prune', '--from', to, '--keep-last', '1'],
      ['forget', image, '--point', EVIL],
    ]) {
      const { stdout, stderr } = await cli(...words);
      expect(stdout, words[0]).not.toMatch(HIDDEN);
      expect(stderr, words[0]).not.toMatch(HIDDEN);
      expect(`\n${stdout}\n${stderr}`, words[0]).not.toMatch(/\n\r?faked line/);
    }
  });
}, 60_000);
