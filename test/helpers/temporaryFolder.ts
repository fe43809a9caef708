/** A folder of a suite's own, for hooks; `withFolder` in qemuTools.ts serves single tests. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';

export interface TemporaryFolder {
  path: string;
  remove(): Promise<void>;
}

/** `inMemory`: where the system has such a place, and nothing is to outlive it: syncing then costs nothing. */
export async function makeTemporaryFolder({ inMemory = false } = {}): Promise<TemporaryFolder> {
  const parent = inMemory && existsSync(MEMORY) ? MEMORY : tmpdir();
  const path = await mkdtemp(join(parent, 'cbt-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
