/** Whether the newest good runs of a folder are young enough, of every disk and owner. */
import { mkdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkNewest } from '../../../lib/backup/listing/checkNewest.js';
import { listRuns } from '../../../lib/backup/listing/listRuns.js';
import { newMark, type Owner, writeMark } from '../../../lib/backup/mark.js';
import { prune } from '../../../lib/backup/prune.js';
import { main } from '../../../lib/cli/main.js';
import { cli, cliWith } from '../../helpers/cli.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';
import { change, failsInto, makeRuns, manifestOf } from './changedRuns.js';

const HOUR = 3_600_000;
let folder: TemporaryFolder;
let to: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  to = join(folder.path, 'backups');
});
afterEach(() => folder.remove());

/** Begun so long ago, by this machine's clock. */
const ago = (ms: number) => () => {
  const at = new Date(Date.now() - ms).toISOString();
  return { startedAt: at, finishedAt: at };
};

describe('the newest good run', () => {
  beforeEach(async () => {
    await makeRuns(to, 2);
    await change(to, 1, ago(30 * HOUR));
    await change(to, 2, ago(5 * HOUR));
  });
  const check = async (...more: string[]): Promise<number> =>
    (await cli('list', to, '--check', ...more)).code;

  test('is young enough, or the exit code is 6', async () => {
    expect(await check('26h')).toBe(0);
    expect(await check('4h')).toBe(6);
    expect(await check('241m')).toBe(6);
    expect(await checkNewest({ from: to, maxAgeMs: 6 * HOUR })).toMatchObject({
      good: true,
      disks: [{ disk: 'disk', run: 2, good: true, problem: null }],
    });
    const { stdout } = await cli('list', to, '--check', '1h');
    expect(stdout).toMatch(/^NOT GOOD disk: run 2, .* \(5 h ago\); its newest good run, 2, began at /);
  });

  test('is an older one where the files of the newest are not as they were written', async () => {
    await truncate(join(to, 'disk-000002.qcow2'), 1000);
    expect(await checkNewest({ from: to, maxAgeMs: 26 * HOUR })).toMatchObject({
      good: false,
      disks: [
        {
          run: 1,
          problem: expect.stringMatching(/run, 1, began.*; run 2: disk-000002.qcow2 has 1000 bytes/),
        },
      ],
    });
    expect(await check('31h')).toBe(0);
    expect(await check('31h', '--strict')).toBe(6);
  });

  test('is none where nothing is whole, where there is no such disk, and where the folder is empty', async () => {
    expect(await check('26h', '--disk', 'disk')).toBe(0);
    expect(await check('26h', '--disk', 'disk', 'vdb')).toBe(6);
    await rm(join(to, 'disk-000001.qcow2'));
    expect(await checkNewest({ from: to, maxAgeMs: 90 * HOUR })).toMatchObject({
      disks: [{ run: null, good: false }],
    });
    await rm(to, { recursive: true });
    await mkdir(to);
    expect(await checkNewest({ from: to, maxAgeMs: HOUR })).toMatchObject({ good: false, disks: [] });
  });

  test('of a disk that only ever failed', async () => {
    await change(to, 2, () => ({
      failed: [{ disk: 'vdb', code: 'ERR_CBT_INTERNAL', reason: null, message: 'x' }],
    }));
    expect(await check('26h')).toBe(6);
    expect(await check('26h', '--disk', 'disk')).toBe(0);
  });

  test('strictly, did not fail since', async () => {
    expect(await check('26h', '--strict')).toBe(0);
    await change(to, 2, () => ({
      failed: [{ disk: 'vdb', code: 'ERR_CBT_INTERNAL', reason: null, message: 'x' }],
    }));
    expect(await check('26h', '--strict', '--disk', 'disk')).toBe(0);
    await failsInto(to, 'vdb', 2);
    await change(to, 1, ago(HOUR));
    expect(await check('26h')).toBe(0);
    expect(await check('26h', '--strict')).toBe(6);
  });

  test('strictly, is not full because the chain was lost', async () => {
    await rm(manifestOf(to, 2));
    await change(to, 1, ({ disks }) => ({
      ...ago(HOUR)(),
      disks: disks.map((disk) => ({ ...disk, reason: 'CRASHED' as const, message: 'QEMU was killed' })),
    }));
    expect(await check('26h')).toBe(0);
    const { code, stdout } = await cli('list', to, '--check', '26h', '--strict');
    expect(code).toBe(6);
    expect(stdout).toContain('run 1 is full, CRASHED: QEMU was killed');
  });

  test('strictly, is no longer full for a loss when it took up the run that was', async () => {
    await change(to, 1, ({ disks }) => ({
      disks: disks.map((disk) => ({ ...disk, reason: 'CRASHED' as const, message: 'QEMU was killed' })),
    }));
    expect(await check('26h', '--strict')).toBe(0);
    await prune({ from: to, rules: { last: 1 } });
    expect(await check('26h', '--strict')).toBe(0);
    expect((await listRuns({ from: to })).runs).toMatchObject([
      {
        run: 2,
        disks: [{ verdict: 'full', reason: null, message: expect.stringContaining('merged the full run 1') }],
      },
    ]);
  });

  test('of two VMs with a disk of one name is asked of each', async () => {
    const owners = ['a', 'b'].map((name, i) => ({
      ...{ id: `0000000${i}-0000-4000-8000-000000000000`, kind: 'vm' as const, name, inherits: false },
      ...{ uuid: `1000000${i}-0000-4000-8000-000000000000`, since: '2026-01-01T00:00:00.000Z' },
    }));
    const [a, b] = owners as [Owner, Owner];
    await writeMark(to, newMark([a, b], new Date()));
    const of = ({ kind, name, uuid, id: owner }: Owner) => ({ source: { kind, name, uuid, owner } });
    await change(to, 1, () => of(a));
    await failsInto(to, 'vdb', 2);
    await change(to, 2, () => of(b));
    for (const args of [[], ['--vm', 'b'], ['--disk', 'disk']]) {
      const { code, stdout } = await cli('list', to, '--check', '99h', ...args);
      expect(code).toBe(6);
      expect(stdout).toContain('NOT GOOD disk: none; no run of it is in the folder, of VM b\n');
    }
    expect(await check('99h', '--vm', 'a')).toBe(0);
    expect(await check('99h', '--disk', 'vdb')).toBe(0);
  });

  test.each([[[]], [['--json']]])(
    'is what the exit code says also where nobody reads on (%j)',
    async (json) => {
      const broken = new Writable({
        highWaterMark: 1,
        write: (_chunk, _encoding, done) =>
          void setImmediate(done, Object.assign(new Error('nobody reads'), { code: 'EPIPE' })),
      });
      expect(await main(['list', to, '--check', '1h', ...json], { stdout: broken, env: {} })).toBe(6);
    },
  );

  test('is not dated in the future', async () => {
    await change(to, 2, ago(-HOUR));
    expect(await checkNewest({ from: to, maxAgeMs: HOUR })).toMatchObject({
      disks: [{ problem: expect.stringContaining('still to come') }],
    });
  });

  test('usage errors name the option', async () => {
    for (const [option, ...args] of [
      ['--check', '--check', '26'],
      ['--strict', '--strict'],
      ['--disk', '--disk', 'a'],
      ['--check', '--check', '26h', '--keep-last', '1'],
    ]) {
      const { code, stderr } = await cliWith({}, 'list', to, ...args);
      expect(code).toBe(2);
      expect(stderr).toContain(`${option}`);
    }
    expect(await refusalOf(checkNewest({ from: to, maxAgeMs: HOUR, vm: 'web' }))).toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
    });
  });
});
