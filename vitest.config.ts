import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Outside the editor there is no `vscode`; what views say is tested with a stand-in.
  resolve: { alias: { vscode: new URL('./test/fixtures/vscodeStub.ts', import.meta.url).pathname } },
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
