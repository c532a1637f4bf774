import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

/** Tests start real servers: more than two files at a time would only make them wait for each other. */
const MAX_WORKERS = 2;
const SECOND_MS = 1000;

// Tests must not depend on the shell that they are started from, nor reach a server that it names.
for (const name of Object.keys(process.env)) {
  if (/^(TYK_DR_|TEMPORAL_|PG|REDIS)/.test(name)) delete process.env[name];
}

interface Kind {
  readonly timeoutMs: number;
  /** Uses the bundle of our workflow code. */
  readonly bundle?: boolean;
  /** Pure: its files may share a process, and what they all import is loaded once. */
  readonly pure?: boolean;
  /** After all others: whole deployments, which mostly wait, and would fight the others for the processors. */
  readonly alone?: boolean;
}

/** One project a folder below test/: `npx vitest run --project unit`. */
const KINDS: Readonly<Record<string, Kind>> = {
  unit: { timeoutMs: 5 * SECOND_MS, pure: true },
  workflow: { timeoutMs: 60 * SECOND_MS, bundle: true },
  replay: { timeoutMs: 30 * SECOND_MS, bundle: true },
  contract: { timeoutMs: 60 * SECOND_MS },
  integration: { timeoutMs: 120 * SECOND_MS, bundle: true },
  drill: { timeoutMs: 300 * SECOND_MS, alone: true },
  crash: { timeoutMs: 300 * SECOND_MS, alone: true },
};

function project([name, { timeoutMs, bundle, pure, alone }]: [string, Kind]): TestProjectInlineConfiguration {
  return {
    extends: true,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      ...(bundle ? { globalSetup: ['test/harness/global-setup.ts'] } : {}),
      isolate: !pure,
      maxWorkers: MAX_WORKERS,
      sequence: { groupOrder: alone ? 1 : 0 },
    },
  };
}

export default defineConfig({
  test: {
    // Temporal's native core is not made for several threads of one process.
    pool: 'forks',
    teardownTimeout: 30 * SECOND_MS,
    projects: Object.entries(KINDS).map(project),
  },
});
