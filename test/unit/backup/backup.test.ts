/** What a run that fails says, and what it leaves for the next one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import type { BackupSource, SourceFacts } from '../../../lib/backup/source.js';
import { CbtError } from '../../../lib/core/errors.js';
import { onAbort } from '../../../lib/core/onAbort.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';

/** It falls silent in the middle of its instant; who asks again waits for long, and is told something else. */
function silentFrom(leavesPoint: boolean, asked: string[]): BackupSource {
  const found = { disk: 'a', image: null, sizeBytes: 1 << 20, epoch: null, points: [] };
  const facts = { kind: 'vm', name: 'web', uuid: null, disks: [found], others: [] };
  const none = async (): Promise<never> => {
    throw new CbtError('ERR_CBT_INTERNAL', 'not asked for');
  };
  return {
    leavesPoint,
    facts: async () => {
      asked.push('facts');
      if (asked.length > 1) throw new CbtError('ERR_CBT_CONNECTION_LOST', 'it does not answer');
      return facts as unknown as SourceFacts;
    },
    openDisk: none,
    forget: none,
    undo: none,
    begin: (_, signal) =>
      new Promise((_, reject) =>
        onAbort(signal, () => reject(new CbtError('ERR_CBT_ABORTED', 'called off'))),
      ),
  } as BackupSource;
}

test.each([
  ['a VM is not asked again', false, 1],
  ['images are, and what they say then is not the failure', true, 2],
])('a begin that is called off in its silence is told as that: %s', async (_, leavesPoint, times) => {
  await using folder = await makeDisposable();
  const asked: string[] = [];
  const to = join(folder.path, 'backups');
  expect(await refusalOf(backup(silentFrom(leavesPoint, asked), { to, timeoutMs: 200 }))).toMatchObject({
    code: 'ERR_CBT_TIMEOUT',
  });
  expect(asked).toHaveLength(times);
  const pending = await readFile(join(to, 'pending.json'), 'utf8').catch(() => null);
  expect(pending === null ? [] : JSON.parse(pending).runs).toMatchObject(
    leavesPoint ? [{ images: ['a'] }] : [],
  );
});

async function makeDisposable(): Promise<AsyncDisposable & { path: string }> {
  const folder = await makeTemporaryFolder();
  return { path: folder.path, [Symbol.asyncDispose]: () => folder.remove() };
}
