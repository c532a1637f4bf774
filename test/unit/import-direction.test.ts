import { fileURLToPath } from 'node:url';
import { Linter } from 'eslint';
import { parser } from 'typescript-eslint';
import { describe, expect, test } from 'vitest';

/** The direction of imports holds only as long as the linter's rule fires; so here it is made to fire. */

const configPath = fileURLToPath(new URL('../../eslint.config.js', import.meta.url));
const { default: config } = (await import(configPath)) as { default: Linter.Config[] };

const direction = [
  { files: ['**/*.ts'], languageOptions: { parser: parser as Linter.Parser } },
  ...config.filter((entry) => entry.rules?.['no-restricted-imports']),
];

function refusals(filename: string, line: string): string[] {
  return new Linter({ configType: 'flat' }).verify(line, direction, { filename }).map((each) => each.message);
}

describe('refused imports', () => {
  test.each<[file: string, line: string, reason: string]>([
    ['domain/a.ts', "import { x } from '../adapters/process/run.ts'", 'imports nothing of ours'],
    ['domain/a.ts', "import type { X } from '../runbooks/recover.ts'", 'imports nothing of ours'],
    ['domain/a.ts', "import { readFile } from 'node:fs'", 'imports nothing of ours'],
    ['runbooks/a.ts', "import { x } from '../report/text.ts'", 'see only domain/'],
    ['workflows/a.ts', "import { x } from '../activities/index.ts'", 'by import type'],
    ['workflows/a.ts', "import { x } from '../adapters/process/run.ts'", 'by import type'],
    ['workflows/a.ts', "import { readFile } from 'node:fs/promises'", 'deterministic sandbox'],
    ['workflows/a.ts', "import { z } from 'zod'", 'deterministic sandbox'],
    ['workflows/a.ts', "import { Client } from '@temporalio/client'", 'deterministic sandbox'],
    ['workflows/a.ts', "import { configSchema } from '../domain/config.ts'", 'would carry zod'],
    ['report/a.ts', "import { x } from '../adapters/process/run.ts'", 'sees only domain/ and runbooks/'],
    ['report/a.ts', "import { readFile } from 'node:fs'", 'report/ is pure'],
    ['adapters/redis/a.ts', "import { x } from '../../activities/redis.ts'", 'know no workflow'],
    ['adapters/redis/a.ts', "import type { X } from '../../runbooks/plan.ts'", 'know no workflow'],
    ['activities/a.ts', "import { x } from '../runbooks/recover.ts'", 'never the workflow'],
    ['activities/a.ts', "import { Client } from '@temporalio/client'", 'never the workflow'],
    ['worker/a.ts', "import { x } from '../cli/exit.ts'", 'composition root'],
    ['cli/a.ts', "import { recover } from '../workflows/index.ts'", 'by import type'],
    ['cli/a.ts', "import type { X } from '../activities/index.ts'", 'talks to a Temporal client'],
    ['cli/lab.ts', "import { x } from '../workflows/index.ts'", 'one door'],
    ['lab/a.ts', "import { x } from '../cli/main.ts'", 'sees only domain/ and adapters/'],
    [
      'lab/gateway/a.ts',
      "import { x } from '../../test/harness/gateway.ts'",
      'sees only domain/ and adapters/',
    ],
    ['bench/a.ts', "import { recover } from '../workflows/index.ts'", 'bench/ measures the product'],
    ['bench/a.ts', "import { x } from '../test/harness/lab.ts'", 'bench/ measures the product'],
    ['lab/a.ts', "import { x } from '../bench/figures.ts'", 'sees only domain/ and adapters/'],
    ['cli/a.ts', "import { x } from '../bench/figures.ts'", 'talks to a Temporal client'],
    ...['activities', 'adapters', 'cli', 'domain', 'report', 'runbooks', 'worker', 'workflows'].map(
      (folder): [string, string, string] => [
        `${folder}/a.ts`,
        "import { x } from '../lab/up.ts'",
        'The product never knows the lab',
      ],
    ),
  ])('%s: %s', (filename, line, reason) => {
    expect(refusals(filename, line).join('\n')).toContain(reason);
  });
});

describe('allowed imports', () => {
  test.each([
    ['domain/config.ts', "import { z } from 'zod'"],
    ['domain/a.ts', "import { x } from './errors.ts'"],
    ['runbooks/a.ts', "import { x } from '../domain/step.ts'"],
    ['workflows/a.ts', "import type { Activities } from '../activities/index.ts'"],
    ['workflows/a.ts', "import type { Deployment } from '../domain/config.ts'"],
    ['workflows/a.ts', "import { x } from '../runbooks/recover.ts'"],
    ['workflows/a.ts', "import { sleep } from '@temporalio/workflow'"],
    ['report/a.ts', "import { x } from '../runbooks/recover.ts'"],
    ['adapters/redis/a.ts', "import { x } from '../process/run.ts'"],
    ['activities/a.ts', "import { x } from '../adapters/process/run.ts'"],
    ['activities/a.ts', "import { heartbeat } from '@temporalio/activity'"],
    ['worker/a.ts', "import { x } from '../activities/index.ts'"],
    ['cli/a.ts', "import type { recover } from '../workflows/index.ts'"],
    ['cli/lab.ts', "import { up } from '../lab/up.ts'"],
    ['lab/gateway/a.ts', "import { x } from '../tyk/session.ts'"],
    ['bench/a.ts', "import { up } from '../lab/up.ts'"],
    ['bench/a.ts', "import { wire } from '../worker/wire.ts'"],
    ['test/unit/a.ts', "import { up } from '../../lab/up.ts'"],
  ])('%s: %s', (filename, line) => {
    expect(refusals(filename, line)).toEqual([]);
  });
});
