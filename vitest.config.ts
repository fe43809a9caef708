import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Every suite owns its temporary folder and sockets; two files at once is what a 2-core machine carries.
    maxWorkers: 2,
  },
});
