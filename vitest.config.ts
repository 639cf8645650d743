import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'test/unit/**/*.test.ts',
      'test/unit/**/*.test.tsx',
      'test/parity/**/*.test.ts',
      'test/*.test.ts',
    ],
    // Native sessions are not safe to share between worker threads, and two cores gain nothing from more.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
  },
});
