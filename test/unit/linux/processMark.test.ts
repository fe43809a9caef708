import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { isRunning, ownMark, removeDeadMarks, stateOf } from '../../../lib/linux/processMark.js';
import { eventually } from '../../helpers/eventually.js';
import { withFolder } from '../../helpers/qemuTools.js';

test('this process has one mark, alive; one that was cleared away is drawn anew', () =>
  withFolder(async (folder) => {
    vi.stubEnv('TMPDIR', folder);
    const mark = await ownMark();
    expect(mark).toMatch(/^[0-9a-f]{16}$/);
    expect(await ownMark()).toBe(mark);
    expect(await stateOf(mark)).toBe('alive');
    await rm(join(folder, `cbt-process-${mark}.lock`));
    expect(await stateOf(mark)).toBe('dead');
    const next = await ownMark();
    expect(next).not.toBe(mark);
    expect(await stateOf(next)).toBe('alive');
    // Another container's folder.
    await withFolder(async (other) => {
      vi.stubEnv('TMPDIR', other);
      expect(await stateOf(next)).toBe('unknown');
    });
    vi.unstubAllEnvs();
  }));

test('another process: alive while the kernel holds its lock, in whatever namespace; then dead, and cleared away', () =>
  withFolder(async (folder) => {
    vi.stubEnv('TMPDIR', folder);
    const mark = `${(await ownMark()).slice(0, 8)}00000001`;
    const file = join(folder, `cbt-process-${mark}.lock`);
    const argv = ['--pid', '--fork', '--kill-child', 'flock', file, '-c', 'echo; exec sleep 600'];
    const child = spawn('unshare', argv, { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout as Readable, 'data');
    const old = new Date(0);
    await utimes(file, old, old);
    await removeDeadMarks();
    expect(await stateOf(mark)).toBe('alive');
    child.kill('SIGKILL');
    await eventually(async () => expect(await isRunning(mark)).toBe(false));
    expect(await stateOf(mark)).toBe('dead');
    await removeDeadMarks();
    expect(existsSync(file)).toBe(false);
    // One that is just being made stays.
    await writeFile(file, '');
    await removeDeadMarks();
    expect(await readdir(folder)).toContain(`cbt-process-${mark}.lock`);
    vi.unstubAllEnvs();
  }));
