import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import * as workflows from '../../workflows/index.ts';
import { STORIES } from './stories.ts';

/**
 * Runs of earlier releases, told again by today's workflow code: one that is in flight when its workers are replaced
 * must go on as it began. Where this fails, the change needs `patched()`, not new histories.
 */

const FOLDER = join(import.meta.dirname, 'histories');

interface Recorded {
  readonly release: string;
  readonly story: string;
  readonly text: string;
}

let recorded: readonly Recorded[];
beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
  const releases = await readdir(FOLDER);
  const found = await Promise.all(
    releases.map(async (release) => {
      const files = await readdir(join(FOLDER, release));
      return Promise.all(
        files.map(async (file) => ({
          release,
          story: file.replace('.json.gz', ''),
          text: gunzipSync(await readFile(join(FOLDER, release, file))).toString(),
        })),
      );
    }),
  );
  recorded = found.flat();
});

/** @returns why each history that does not replay does not, by its name */
async function replay(histories: readonly Recorded[]): Promise<Record<string, string>> {
  const problems: Record<string, string> = {};
  const results = Worker.runReplayHistories(
    { workflowBundle: { codePath: inject('workflowBundlePath') } },
    histories.map(({ release, story, text }) => ({
      workflowId: `${release}/${story}`,
      history: JSON.parse(text) as object,
    })),
  );
  for await (const { workflowId, error } of results) if (error) problems[workflowId] = error.message;
  return problems;
}

describe('histories of every release', () => {
  test('are told in the same way by the code as it is now', async () => {
    expect(recorded.length).toBeGreaterThanOrEqual(STORIES.length);
    expect(await replay(recorded)).toEqual({});
  });

  test('are there for every story and every runbook', () => {
    const stories = new Set(recorded.map(({ story }) => story));
    expect(STORIES.filter(({ name }) => !stories.has(name))).toEqual([]);
    const told = new Set(STORIES.map(({ workflow }) => workflow));
    expect(Object.keys(workflows).filter((name) => !told.has(name))).toEqual([]);
  });

  test('hold no name of a host, and no place on it', () => {
    for (const { story, text } of recorded) {
      expect(text, story).not.toMatch(/"identity": ?"(?!recorder")/);
      // Of a stack: what is of the project stands there relative to it.
      expect(text, story).not.toMatch(/\(\/[^)]*(?:node_modules|workflows|test)\//);
    }
  });
});

test.each([
  ['a step that would be called by another name', 'restore-redis-data', 'restore-redis-date'],
  ['a timer that would not be set', '"EVENT_TYPE_TIMER_STARTED"', '"EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"'],
])('%s is found', async (_what, from, to) => {
  const elsewhere = recorded.find(({ story }) => story === 'recover-elsewhere')!;
  expect(elsewhere.text).toContain(from);
  const changed = { ...elsewhere, text: elsewhere.text.replaceAll(from, to) };
  expect(Object.values(await replay([changed])).join()).not.toBe('');
});
