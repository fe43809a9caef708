/**
 * Stacks of images whose headers name each other in every way that a name can be spelled: what is told to QEMU is what QEMU
 * itself would open, and a guess, a loop or a network leads nowhere.
 */
import { link, mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CbtError } from '../../../../lib/core/errors.js';
import { imageFiles, imageNode } from '../../../../lib/host/imageName.js';
import { buildQcow2 } from '../../../helpers/qcow2Builder.js';
import { qemuImg, withFolder } from '../../../helpers/qemuTools.js';

const LAYERS = 4;

/** How a header spells the file of layer `n`; the folder `in` has a link to it beside it, `link`. */
const spellings: readonly ((folder: string, n: number) => string)[] = [
  (_, n) => `${n}`,
  (_, n) => `./${n}`,
  (folder, n) => `${folder}/in/${n}`,
  (_, n) => `../in/${n}`,
  (_, n) => `../link/${n}`,
  (folder, n) => `${folder}/link/../in/${n}`,
  (folder, n) => `file:${folder}/in/${n}`,
  (folder, n) => `json:{"driver":"qcow2","file":{"driver":"file","filename":"${folder}/in/${n}"}}`,
  (_, n) => `hard${n}`,
  (_, n) => `soft${n}`,
];
const hostile: readonly ((folder: string) => string)[] = [
  () => 'nbd:unix:/none',
  () => 'nbd+unix:///x?socket=/none',
  () => 'https://127.0.0.1:1/x',
  () => 'ssh://127.0.0.1:1/x',
  () => 'rbd:pool/image',
  () => 'json:{"driver":"qcow2","file":{"driver":"nbd","path":"/none"}}',
  () => 'fat:rw:/etc',
  () => 'file:0',
  () => '.',
  () => '/dev/zero',
  () => 'missing',
];

/** Each layer names the next, or one of its own stack, or what must not be opened. */
const stack = fc.record({
  next: fc.array(fc.nat(spellings.length - 1), { minLength: LAYERS, maxLength: LAYERS }),
  end: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    fc.record({ loop: fc.nat(LAYERS - 1), spelled: fc.nat(spellings.length - 1) }),
    fc.record({ hostile: fc.nat(hostile.length - 1) }),
  ),
});

test('a stack is what QEMU would open, or refused', async () => {
  await fc.assert(
    fc.asyncProperty(stack, (drawn) =>
      withFolder(async (folder) => {
        await mkdir(join(folder, 'in'));
        await symlink('in', join(folder, 'link'));
        for (let n = 0; n < LAYERS; n += 1) {
          const { end } = drawn;
          const below =
            n + 1 < LAYERS
              ? spellings[drawn.next[n]!]!(folder, n + 1)
              : end === null
                ? null
                : 'loop' in end
                  ? spellings[end.spelled]!(folder, end.loop)
                  : hostile[end.hostile]!(folder);
          const backing = below === null ? {} : { backing: { name: below, format: 'qcow2' } };
          const path = join(folder, 'in', `${n}`);
          await writeFile(path, buildQcow2({ size: 1 << 20, ...backing }).bytes);
          await link(path, join(folder, 'in', `hard${n}`));
          await symlink(`${n}`, join(folder, 'in', `soft${n}`));
        }
        const top = join(folder, 'in/0');
        // A guess stays with itself, whatever its header says.
        await expect(imageNode(top)).rejects.toMatchObject({ details: { argument: 'format' } });
        const ours = imageFiles(top, { format: 'qcow2' });
        if (drawn.end !== null) {
          await expect(ours).rejects.toBeInstanceOf(CbtError);
          return;
        }
        const text = await qemuImg('info', '--output=json', '--backing-chain', '-f', 'qcow2', top);
        const theirs = JSON.parse(text) as { filename: string }[];
        const files = await ours;
        expect(await Promise.all(files.map(identityOf))).toEqual(
          await Promise.all(theirs.map(({ filename }) => identityOf(pathOf(filename)))),
        );
        // And told so, QEMU opens it.
        const node = `json:${JSON.stringify(await imageNode(top, { format: 'qcow2' }))}`;
        expect(JSON.parse(await qemuImg('map', '--output=json', node))).toHaveLength(1);
      }),
    ),
    { numRuns: 40 },
  );
}, 120_000);

async function identityOf(path: string): Promise<string> {
  const { dev, ino } = await stat(path);
  return `${dev}:${ino}`;
}

/** QEMU tells some names as it was given them. */
function pathOf(filename: string): string {
  if (filename.startsWith('json:')) return JSON.parse(filename.slice(5)).file.filename as string;
  return filename.replace(/^file:/, '');
}
