/** The program that changes images: whoever calls it off hears so when it writes no more. */
import { access, chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { qemuImg } from '../../../lib/host/imageTool.js';
import { eventually } from '../../helpers/eventually.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await folder.remove();
});

const replaceProgram = async (script: string): Promise<void> => {
  const file = join(folder.path, 'qemu-img.sh');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  vi.stubEnv('QEMU_IMG', file);
};

test('called off, it is waited for', async () => {
  const [started, done] = [join(folder.path, 'started'), join(folder.path, 'done')];
  await replaceProgram(
    `trap 'sleep 0.5; touch ${done}; exit 1' TERM; touch ${started}; while :; do sleep 0.1; done`,
  );
  const abort = new AbortController();
  const running = qemuImg(['commit', 'x'], { signal: abort.signal }).catch((error: unknown) => error);
  await eventually(() => access(started));
  abort.abort();
  expect(await running).toMatchObject({ code: 'ERR_CBT_ABORTED' });
  await access(done);
});

test('what is no program, and what fails, are errors with its words', async () => {
  await replaceProgram('echo "qemu-img: no room" >&2; exit 7');
  await expect(qemuImg(['commit', 'x'])).rejects.toMatchObject({
    code: 'ERR_CBT_BACKEND_UNAVAILABLE',
    message: 'qemu-img commit failed: no room',
    details: { exitCode: 7 },
  });
  await replaceProgram('echo answer; exit 3');
  expect(await qemuImg(['check', 'x'], { passes: [3] })).toBe('answer\n');
  await writeFile(join(folder.path, 'qemu-img.sh'), 'no program at all');
  await chmod(join(folder.path, 'qemu-img.sh'), 0o755);
  await expect(qemuImg(['info', 'x'])).rejects.toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE' });
});
