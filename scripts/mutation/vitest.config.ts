import { defineConfig } from 'vitest/config';

// The tests that run.mjs names. What runs in the process and needs no QEMU costs a fraction of a second a mutant.
export default defineConfig({
  test: {
    include: JSON.parse(process.env['MUTATION_TESTS'] ?? '["test/unit/core/**/*.test.ts"]') as string[],
    globalSetup: 'test/helpers/stateFolder.ts',
    setupFiles: ['test/helpers/seed.ts'],
    testTimeout: 60_000,
  },
});
