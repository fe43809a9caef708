/**
 * Whatever is wrong about the value of a flag, of any command: exit code 2, with the flag named, before anything is looked at. The tree of
 * commands says which flags there are, and a flag whose value is called in a new way has to be told here.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildProgram } from '../../../lib/cli/program.js';
import { cli } from '../../helpers/cli.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const program = buildProgram({ io: {}, result: { exitCode: 0 } } as never, '0');
let folder: TemporaryFolder;

const NO_NUMBERS = ['nonsense', '-1', '1.5', 'NaN', 'Infinity', '0x10', '99999999999999999999', '1 000', '٣'];
/** By what the help calls the value: what is none. Of texts only the empty one. */
const WRONG: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    [
      'path',
      'folder',
      'id',
      'point',
      'file',
      'vm',
      'name',
      'socket',
      'file or uri',
      'image or vm',
      'run',
    ].map((text) => [text, []]),
  ),
  n: [...NO_NUMBERS, '0'],
  areas: [...NO_NUMBERS, '0'],
  bytes: NO_NUMBERS,
  uuid: [],
  age: [...NO_NUMBERS, '0', '0h', '5', '1y'],
  time: [...NO_NUMBERS, '0', '0s', '5', '1y'],
  address: ['nonsense', ':', '127.0.0.1:99999', '127.0.0.1:-1'],
};

/** A flag's value as its help calls it; null where it takes none. */
const calledIn = ({ flags }: Option): string | null =>
  /[<[]([^>\]]+?)(\.\.\.)?[>\]]/.exec(flags)?.[1] ?? null;

function argvOf(command: Command, flag: Option, value: string): string[] {
  const at = join(folder.path, 'none');
  return [
    command.name(),
    ...command.registeredArguments.filter(({ required }) => required).map(() => at),
    ...command.options
      .filter(({ mandatory, long }) => mandatory && long !== flag.long)
      .flatMap(({ long }) => [long ?? '', at]),
    // One word: a value may begin with a dash.
    `${flag.long}=${value}`,
  ];
}

beforeAll(async () => {
  folder = await makeTemporaryFolder();
});
afterAll(async () => {
  await folder?.remove();
});

test.each(program.commands.map((command) => [command.name(), command] as const))(
  '%s',
  async (name, command) => {
    const wrong: string[] = [];
    for (const flag of command.options) {
      const value = calledIn(flag);
      const kinds = flag.argChoices === undefined ? WRONG[value ?? ''] : ['nonsense'];
      if (value === null) continue;
      expect(kinds, `what ${name} ${flag.flags} takes`).toBeDefined();
      for (const one of ['', ...(kinds ?? [])]) {
        const { code, stdout, stderr } = await cli(...argvOf(command, flag, one));
        if (code !== 2 || stdout !== '' || !stderr.includes(flag.long ?? ''))
          wrong.push(`${flag.long}=${one} -> ${code}: ${stdout}${stderr}`);
      }
    }
    expect(wrong).toEqual([]);
    const unknown = await cli(name, '--nonsense');
    expect(unknown).toMatchObject({ code: 2, stdout: '' });
  },
);

test('nothing was made', async () => {
  expect(await readdir(folder.path)).toEqual([]);
});
