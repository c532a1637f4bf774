import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { liveState } from '../../../activities/live.ts';
import { configDigest } from '../../../adapters/config/digest.ts';
import { loadConfig } from '../../../adapters/config/load.ts';
import type { Config } from '../../../domain/config.ts';
import type { StepInput } from '../../../domain/plan.ts';
import { compileDrill } from '../../../runbooks/drill-plan.ts';
import { shapeOf } from '../../../runbooks/shape-of.ts';
import { wire } from '../../../worker/wire.ts';
import { writeDeployment } from '../../harness/deployment.ts';

/** A site that two workers of one host serve: each lists, and looks for, what is its own. */

const WORKERS = ['dr', 'dr-gw'] as const;
let dir: string;
let config: Config;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-leaks-'));
  const { configFile } = await writeDeployment(dir, {
    redis: { port: 1_234, dataDir: join(dir, 'dr', 'redis') },
  });
  const yaml = parse(await readFile(configFile, 'utf8')) as {
    deployments: { acme: { drill?: unknown; sites: Record<string, { gateways: { worker?: string }[] }> } };
  };
  const { acme } = yaml.deployments;
  acme.drill = { site: 'dr' };
  acme.sites['dr']!.gateways[0]!.worker = 'dr-gw';
  await writeFile(configFile, stringify(yaml));
  config = await loadConfig(configFile);
  for (const folder of ['redis', 'state', 'gw1']) await mkdir(join(dir, 'dr', folder), { recursive: true });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

type Result = Record<'left' | 'made', string[]>;

async function call(worker: string, activity: string): Promise<Result> {
  const deployment = config.deployments['acme']!;
  const { activities } = wire(config, worker, 'test');
  const work = (activities as unknown as Record<string, (input: StepInput) => Promise<Result>>)[activity]!;
  const plan = compileDrill(shapeOf('acme', deployment), {
    ...{ type: 'full', scenario: 'infrastructure', end: 'teardown', participants: [] },
    ...{ backup: 'latest', onFailure: 'abort', decide: 'auto' },
  });
  return new MockActivityEnvironment(
    { activityType: activity, currentAttemptScheduledTimestampMs: Date.now() },
    { logger: new DefaultLogger('ERROR') },
  ).run(work, {
    ...{ run: 'drl-test', step: activity, epoch: 1, plan, configDigest: configDigest(deployment) },
    ...{ basisAt: new Date().toISOString(), notAfter: '2999-01-01T00:00:00.000Z' },
  });
}

test('what a drill leaves is found by the worker whose it is; until the end the site is nobody’s', async () => {
  const site = config.deployments['acme']!.sites['dr']!;
  const running = {
    ...site,
    redis: { ...site.redis!, service: { start: ['true'], stop: ['true'], status: ['true'] } },
  };
  expect(await liveState('dr', 'dr', running)).toMatchObject({ live: true });
  for (const worker of WORKERS) await call(worker, 'list-target');
  expect(await liveState('dr', 'dr', running)).toEqual({
    ...{ live: false, summary: 'the drill drl-test runs there' },
  });
  const [inGateway, inRedis] = [join(dir, 'dr', 'gw1', 'apps'), join(dir, 'dr', 'redis.tyk-dr-old')];
  await mkdir(inGateway);
  await mkdir(inRedis);
  await writeFile(join(inRedis, 'data'), 'x');
  // Called again, as after a crash: the list of before counts.
  for (const worker of WORKERS) await call(worker, 'list-target');
  expect((await call('dr', 'list-made')).made).toEqual([inRedis, join(inRedis, 'data')]);
  expect((await call('dr', 'find-leaks')).left.join()).toContain(`${inRedis} is left behind`);
  expect((await call('dr-gw', 'find-leaks')).left).toEqual([`${inGateway} is left behind`]);
  // Empty folders go with it; what somebody has put into one is theirs to judge.
  for (const worker of WORKERS) await call(worker, 'tidy-target').catch(() => undefined);
  expect((await call('dr-gw', 'find-leaks')).left).toEqual([]);
  expect((await call('dr', 'find-leaks')).left).toHaveLength(2);
  await rm(inRedis, { recursive: true });
  expect((await call('dr', 'find-leaks')).left).toEqual([]);
  for (const worker of WORKERS) await call(worker, 'unmark-target');
  expect(await readdir(join(dir, 'dr', 'state'))).toEqual(['epoch.json']);
  expect(await liveState('dr', 'dr', running)).toMatchObject({ live: true });
});
