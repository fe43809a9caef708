/** What the gate says of a failure, from the reports of the real programs. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const ROOT = resolve(import.meta.dirname, '../../..');
const READERS = join(ROOT, 'scripts/test-reports.mjs');

interface Outcome {
  passed: number;
  skipped: string[];
  failures: { where: string; message: string }[];
}

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await makeTemporaryFolder();
});
afterAll(() => folder.remove());

async function run(command: string, args: string[]): Promise<{ ok: boolean; printed: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { cwd: folder.path });
    return { ok: true, printed: stdout + stderr };
  } catch (cause) {
    const { stdout, stderr } = cause as { stdout: string; stderr: string };
    return { ok: false, printed: stdout + stderr };
  }
}

async function read(reader: string, ...args: unknown[]): Promise<Outcome> {
  const program = `import * as readers from ${JSON.stringify(READERS)};
    console.log(JSON.stringify(readers[process.argv[1]](...JSON.parse(process.argv[2]))));`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--input-type=module', '-e', program],
    ...[reader, JSON.stringify(args)],
  ]);
  return JSON.parse(stdout) as Outcome;
}

describe('Vitest', () => {
  async function outcomeOf(files: Record<string, string>): Promise<Outcome> {
    const report = join(folder.path, 'vitest.json');
    const suite = join(folder.path, 'suite');
    await folder.remove();
    await mkdir(suite, { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'));
    for (const [name, text] of Object.entries(files)) await writeFile(join(suite, name), text);
    const { ok, printed } = await run(process.execPath, [
      join(ROOT, 'node_modules/vitest/vitest.mjs'),
      ...['run', '--root', folder.path, '--reporter=default', '--reporter=json', '--maxWorkers=1'],
      `--outputFile.json=${report}`,
    ]);
    return read('readVitest', await readFile(report, 'utf8'), {
      succeeded: ok,
      printed,
      root: folder.path,
    });
  }

  test('names each test that failed, each that was left out, and each file that does not load', async () => {
    const { passed, skipped, failures } = await outcomeOf({
      'sum.test.js': `
        import { describe, expect, test } from 'vitest';
        describe('a sum', () => {
          test('is right', () => expect(1 + 1).toBe(2));
          test('is wrong', () => expect(1 + 1).toBe(3));
          test.skip('is not asked for', () => {});
        });`,
      'gone.test.js': `import './nowhere.js';`,
    });
    expect(passed).toBe(1);
    expect(skipped).toEqual(['suite/sum.test.js > a sum is not asked for']);
    expect(failures.sort((a, b) => a.where.localeCompare(b.where))).toEqual([
      { where: 'suite/gone.test.js', message: expect.stringContaining('./nowhere.js') },
      {
        where: 'suite/sum.test.js > a sum is wrong',
        message: expect.stringContaining('expected 2 to be 3'),
      },
    ]);
  });

  test('says what was printed last when no test is to blame', async () => {
    const { passed, failures } = await outcomeOf({
      'late.test.js': `
        import { test } from 'vitest';
        test('passes', async () => {
          void Promise.reject(new Error('nobody waited for this'));
          await new Promise((resolve) => setImmediate(resolve));
        });`,
    });
    expect(passed).toBe(1);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatchObject({ where: 'outside all tests' });
    expect(failures[0]?.message).toContain('nobody waited for this');
  });
});

test('CTest: a program that failed, and the last that it said', async () => {
  await folder.remove();
  await mkdir(folder.path, { recursive: true });
  await writeFile(
    join(folder.path, 'CTestTestfile.cmake'),
    `add_test(good "true")
     add_test(bad "sh" "-c" "echo 'first'; echo '1 < 2 & \\"so\\"' >&2; exit 3")\n`,
  );
  const report = join(folder.path, 'ctest.xml');
  const { ok } = await run('ctest', ['--test-dir', folder.path, '--output-junit', report]);
  expect(ok).toBe(false);
  expect(await read('readCtest', await readFile(report, 'utf8'))).toEqual({
    passed: 1,
    skipped: [],
    failures: [{ where: 'bad', message: 'first\n1 < 2 & "so"' }],
  });
  expect((await read('readCtest', '<testsuite tests="0"></testsuite>')).failures).toHaveLength(1);
});

test('stages side by side: so many at once, none before what it waits for, each with its own output', async () => {
  const program = `
    import { Stage, sideBySide } from ${JSON.stringify(join(ROOT, 'scripts/side-by-side.mjs'))};
    const log = [];
    const stages = {};
    let running = 0;
    let most = 0;
    const job = (name, after) => ({ name, after, run: async () => {
      most = Math.max(most, ++running);
      log.push('begin ' + name);
      const stage = (stages[name] = new Stage(name, () => {}));
      const { ok } = await stage.run('sh', ['-c', 'for i in 1 2 3; do echo $0; done; [ $0 != b ]', name]);
      log.push((ok ? 'end ' : 'fail ') + name);
      running -= 1;
    } });
    await sideBySide([job('a'), job('b'), job('c', ['a', 'b']), job('d')], 2);
    console.log(JSON.stringify({ log, most, printed: Object.values(stages).map((one) => one.printed) }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  const { log, most, printed } = JSON.parse(stdout) as { log: string[]; most: number; printed: string[] };
  expect(most).toBe(2);
  expect(log.slice(0, 2)).toEqual(['begin a', 'begin b']);
  expect(log.indexOf('begin c')).toBeGreaterThan(Math.max(log.indexOf('end a'), log.indexOf('fail b')));
  expect([...log].sort()).toEqual(
    ['begin a', 'begin b', 'begin c', 'begin d', 'end a', 'fail b', 'end c', 'end d'].sort(),
  );
  expect([...printed].sort()).toEqual(['a', 'b', 'c', 'd'].map((name) => `${name}\n`.repeat(3)));
});
