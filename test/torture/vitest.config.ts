import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/torture/**/*.torture.ts'],
    globalSetup: 'test/helpers/stateFolder.ts',
    testTimeout: 3_600_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
    execArgv: ['--expose-gc'],
  },
});
