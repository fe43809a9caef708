/** What scripts depend on: shapes, exit codes, streams; and what people see: help, errors, pictures. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openVm } from '../../../lib/index.js';
import { cli, cliWith } from '../../helpers/cli.js';
import {
  makeTemporaryFolder,
  qemuImg,
  type TemporaryFolder,
  writeRecorded,
} from '../../helpers/qemuTools.js';

const run = promisify(execFile);
let folder: TemporaryFolder;
let disk: string;
let pit: string;

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  disk = join(folder.path, 'disk.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', disk, '10M');
  await using vm = await openVm({ images: [disk] });
  pit = (await vm.enable()).pit!;
  await writeRecorded(disk, [
    [0, 512],
    [1 << 20, 3 * 65_536],
    [10 * (1 << 20) - 512, 512],
  ]);
});
afterAll(() => folder.remove());

const EXPECTED = [
  { start: 0, length: 65_536 },
  { start: 1 << 20, length: 3 * 65_536 },
  { start: 10 * (1 << 20) - 65_536, length: 65_536 },
];

describe('changes', () => {
  test('--json has the documented members and nothing else on stdout', async () => {
    const { code, stdout, stderr } = await cli('changes', disk, '--from', pit, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      disk,
      sizeBytes: 10 << 20,
      granularityBytes: 65_536,
      from: pit,
      to: null,
      areas: EXPECTED,
      changedBytes: 5 * 65_536,
    });
  });

  test('--jsonl, columns, --start and --max tell the same areas', async () => {
    const lines = (await cli('changes', disk, '--from', pit, '--jsonl')).stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(EXPECTED);
    const table = await cli('changes', disk, '--from', pit);
    expect(table.stdout).toBe(`start\tlength\n${EXPECTED.map((a) => `${a.start}\t${a.length}\n`).join('')}`);
    expect(table.stderr).toContain('3 areas, 320 KiB of 10 MiB');
    const part = await cli('changes', disk, '--from', pit, '--json', '--start', '1088K', '--max', '1');
    expect(JSON.parse(part.stdout).areas).toEqual([{ start: 1088 << 10, length: 2 * 65_536 }]);
  });

  test('--bits writes the map least significant bit first, and nothing of it on failure', async () => {
    const file = join(folder.path, 'a.bits');
    const { code, stdout } = await cli('changes', disk, '--from', pit, '--bits', file, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ bits: 160, bytes: 20, granularityBytes: 65_536 });
    const bits = await readFile(file);
    const dirty = Array.from({ length: 160 }, (_, n) => n).filter((n) => (bits[n >> 3]! >> (n & 7)) & 1);
    expect(dirty).toEqual([0, 16, 17, 18, 159]);
    const failed = await cli('changes', disk, '--from', pit, '--bits', join(folder.path, 'none', 'b.bits'));
    expect(failed.code).toBe(5);
    const refused = await cli(
      'changes',
      disk,
      '--from',
      pit,
      '--bits',
      join(folder.path, 'c.bits'),
      '--granularity',
      '1000',
    );
    expect(refused.code).toBe(2);
    await expect(stat(join(folder.path, 'c.bits'))).rejects.toThrow();
  });

  test("--from '*' tells what holds data, as qemu-img map does", async () => {
    const { stdout } = await cli('changes', disk, '--from', '*', '--json');
    const map = JSON.parse(await qemuImg('map', '--output=json', disk)) as {
      start: number;
      length: number;
      data: boolean;
    }[];
    const bytes = map.filter((entry) => entry.data).reduce((sum, entry) => sum + entry.length, 0);
    expect(JSON.parse(stdout)).toMatchObject({ from: '*', changedBytes: bytes });
  });

  test('both kernels answer alike, and --verbose says which ran', async () => {
    const native = await cli('changes', disk, '--from', pit, '--json', '--kernel', 'native', '--verbose');
    const script = await cli('changes', disk, '--from', pit, '--json', '--kernel', 'script', '--verbose');
    expect(script.stdout).toBe(native.stdout);
    expect(native.stderr).toMatch(/^kernel: (avx2|portable)\n$/);
    expect(script.stderr).toBe('kernel: script\n');
  });
});

describe('exit codes and streams', () => {
  const cases: [string, () => Promise<string[]>, number, string][] = [
    ['no command', async () => [], 2, 'Usage'],
    ['unknown command', async () => ['nosuch'], 2, 'unknown command'],
    ['missing --from', async () => ['changes', disk], 2, '--from'],
    [
      'two outputs at once',
      async () => ['changes', disk, '--from', pit, '--json', '--jsonl'],
      2,
      'only one of',
    ],
    ['bad --max', async () => ['changes', disk, '--from', pit, '--max', '0'], 2, '--max is "0"'],
    ['bad --start', async () => ['changes', disk, '--from', pit, '--start', '11M'], 2, '10485760'],
    [
      'unknown PIT',
      async () => ['changes', disk, '--from', '00000000-0000-4000-8000-000000000001'],
      3,
      '[UNKNOWN_PIT]',
    ],
    [
      'the wrong way round',
      async () => ['changes', disk, '--from', pit, '--to', '*'],
      2,
      'ERR_CBT_INVALID_ARGUMENT',
    ],
    ['no such file', async () => ['pits', join(folder.path, 'none.qcow2')], 5, 'ERR_CBT_BACKEND_UNAVAILABLE'],
    ['a folder', async () => ['pits', folder.path], 2, 'cbt-'],
    [
      'an image cut off in the middle of its tables',
      async () => {
        const cut = join(folder.path, 'cut.qcow2');
        await writeFile(cut, (await readFile(disk)).subarray(0, 66_000));
        return ['changes', cut, '--from', pit];
      },
      4,
      'ERR_CBT_CORRUPT_IMAGE',
    ],
    [
      'an unknown incompatible feature',
      async () => {
        const odd = join(folder.path, 'odd.qcow2');
        await writeFile(odd, await readFile(disk));
        const file = await open(odd, 'r+');
        await file.write(Buffer.from([0x40]), 0, 1, 72);
        await file.close();
        return ['pits', odd];
      },
      4,
      'incompatible',
    ],
    [
      'an image that an old program wrote to',
      async () => {
        const stale = join(folder.path, 'stale.qcow2');
        await writeFile(stale, await readFile(disk));
        const file = await open(stale, 'r+');
        await file.write(Buffer.from([0]), 0, 1, 95);
        await file.close();
        return ['changes', stale, '--from', pit];
      },
      3,
      '[MISSING]',
    ],
  ];
  test.each(cases)('%s', async (_, argv, code, message) => {
    const args = await argv();
    const hash = async (): Promise<string> =>
      createHash('sha256')
        .update(await readFile(disk))
        .digest('hex');
    const before = await hash();
    const result = await cli(...args);
    expect(result.stderr).toContain(message);
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
    expect(await hash()).toBe(before);
  });

  test('with --json an error is one object on stderr', async () => {
    const { code, stdout, stderr } = await cli(
      'changes',
      disk,
      '--from',
      '00000000-0000-4000-8000-000000000001',
      '--json',
    );
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'ERR_CBT_UNKNOWN_PIT',
        reason: 'UNKNOWN_PIT',
        disk,
        message: expect.stringContaining('full backup'),
      },
    });
  });

  test('an aborted command says so and ends with 130', async () => {
    const { code, stdout } = await cliWith({ signal: AbortSignal.abort() }, 'changes', disk, '--from', pit);
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
  });

  test('control characters of a hostile name are shown, not sent to the terminal', async () => {
    const evil = join(folder.path, 'evil\u001b[2J.qcow2');
    const { stderr } = await cli('pits', evil);
    expect(stderr).not.toContain('\u001b');
    expect(stderr).toContain('u001b');
  });
});

describe('map', () => {
  test('draws in the terminal and writes an SVG file', async () => {
    const drawn = await cliWith({ env: { LANG: 'C.UTF-8' } }, 'map', disk, '--from', pit);
    expect(drawn.code).toBe(0);
    expect(drawn.stdout.split('\n').every((line) => line.length <= 80)).toBe(true);
    const svg = join(folder.path, 'map.svg');
    expect((await cli('map', disk, '--from', pit, '--svg', svg)).code).toBe(0);
    await run('xmllint', ['--noout', svg]);
  });
});

describe('doctor', () => {
  test('tells what is well, what is not, and what to do; the exit code is the worst finding', async () => {
    const images = join(folder.path, 'images');
    await mkdir(images);
    await writeFile(join(images, 'good.qcow2'), await readFile(disk));
    await writeFile(join(images, 'broken.qcow2'), await readFile(disk));
    await truncate(join(images, 'broken.qcow2'), 200);
    const good = await cli('doctor', join(images, 'good.qcow2'), '--json');
    expect(good.code).toBe(0);
    expect(JSON.parse(good.stdout)).toMatchObject({ kernel: { path: expect.any(String) } });
    const both = await cli('doctor', images);
    expect(both.code).toBe(4);
    expect(both.stdout).toContain('good.qcow2');
    expect(both.stdout).toContain('PROBLEM');
  });

  test('tells what is worth knowing of an image; without a disk, of this machine', async () => {
    const apart = join(folder.path, 'apart.qcow2');
    const raw = join(folder.path, 'apart.raw');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${raw},data_file_raw=on`, apart, '1M');
    expect((await cli('doctor', apart)).stdout).toMatch(/note +.*guest data is in an external file/);
    const { code, stdout } = await cli('doctor');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^kernel: (avx2|portable)/);
  });
});

describe('help and completion', () => {
  test('every command has help with an example', async () => {
    const { stdout } = await cli('--help');
    for (const name of [
      'pits',
      'changes',
      'map',
      'doctor',
      'enable',
      'begin',
      'commit',
      'rollback',
      'forget',
      'reset',
      'disable',
      'completion',
    ]) {
      expect(stdout).toContain(name);
      const help = await cli(name, '--help');
      expect(help.code).toBe(0);
      expect(help.stdout).toMatch(/Examples?:\n +(source <\()?qemu-cbt/);
    }
  });

  test('the bash completion completes commands and options', async () => {
    const script = join(folder.path, 'completion.bash');
    await writeFile(script, (await cli('completion', 'bash')).stdout);
    const ask = `source '${script}'; COMP_WORDS=(qemu-cbt cha); COMP_CWORD=1; _qemu_cbt; echo "\${COMPREPLY[*]}"; COMP_WORDS=(qemu-cbt changes --js); COMP_CWORD=2; _qemu_cbt; echo "\${COMPREPLY[*]}"`;
    const { stdout } = await run('bash', ['-c', ask]);
    expect(stdout).toBe('changes\n--json --jsonl\n');
    for (const shell of ['zsh', 'fish']) expect((await cli('completion', shell)).stdout).toContain('changes');
    expect((await cli('completion', 'csh')).code).toBe(2);
  });
});
