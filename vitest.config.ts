import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/helpers/stateFolder.ts',
    // For what hangs, not for what is slow: most tests take a second, the longest a minute, and a busy machine takes five times that.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // Every suite owns its temporary folder and sockets; two files at once is what a 2-core machine carries.
    maxWorkers: 2,
  },
});
