import { defineConfig } from 'vitest/config';

// What runs in the process and needs no QEMU: a mutant costs a fraction of a second.
export default defineConfig({
  test: {
    include: ['test/unit/core/**/*.test.ts', 'test/property/core/**/*.test.ts'],
    testTimeout: 60_000,
  },
});
