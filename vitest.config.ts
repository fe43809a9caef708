import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** What puts a module in another's place, moves where temporary files are, or measures its own process, has a process to itself. */
const NEEDS_IT = /\bvi\.mock\(|\bstubEnv\('TMPDIR'|\bmemoryUsage\b|\bmaxRSS\b|\/proc\/self\/fd/;

const needsIt = (name: string): boolean =>
  NEEDS_IT.test(readFileSync(join(import.meta.dirname, name), 'utf8'));
const alone = readdirSync(join(import.meta.dirname, 'test'), { recursive: true, encoding: 'utf8' })
  .map((name) => `test/${name}`)
  .filter((name) => name.endsWith('.test.ts') && needsIt(name));

const common = {
  globalSetup: 'test/helpers/stateFolder.ts',
  setupFiles: ['test/helpers/seed.ts', 'test/helpers/bytesAreCompared.ts'],
  // For what hangs, not for what is slow: most tests take a second, the longest a minute, and a busy machine takes five times that.
  testTimeout: 300_000,
  hookTimeout: 300_000,
};

export default defineConfig({
  test: {
    // Every suite owns its temporary folder and sockets; two files at once is what a 2-core machine carries.
    maxWorkers: 2,
    projects: [
      { test: { ...common, name: 'alone', include: alone } },
      // Loading the sources anew for each file would cost more than most files' tests.
      {
        test: {
          ...common,
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: alone,
          isolate: false,
          setupFiles: [...common.setupFiles, 'test/helpers/sameProcess.ts'],
        },
      },
    ],
  },
});
