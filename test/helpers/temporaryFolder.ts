/** A folder of a suite's own, for hooks; `withFolder` in qemuTools.ts serves single tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryFolder {
  path: string;
  remove(): Promise<void>;
}

export async function makeTemporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), 'cbt-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
