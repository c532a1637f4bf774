import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runBeacon } from '../../activities/beacon.ts';
import type { Deps } from '../../activities/guard.ts';
import { createMeasureLossActivities } from '../../activities/measure-loss.ts';
import { readMarks } from '../../activities/watermarks.ts';
import { parseJournal } from '../../domain/beacon-journal.ts';
import type { Deployment } from '../../domain/config.ts';
import type { MeasureLossResult, StepInput } from '../../domain/plan.ts';
import { startSftp, sftpCopy, type SftpServer } from '../harness/off-site.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from '../harness/redis.ts';

/** The site, its worker, its beacon and the repository are gone: what was lost is known off-site alone. */

let dir: string;
let live: TestRedis;
let recovered: TestRedis;
let sftp: SftpServer;
let deps: Deps;
let section: Deployment;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-away-test-'));
  await Promise.all(['primary', 'dr'].map((name) => mkdir(join(dir, name))));
  [live, recovered, sftp] = await Promise.all([
    startTestRedis(),
    startTestRedis(),
    startSftp(join(dir, 'off-site')),
  ]);
  const RUNS = { start: ['true'], stop: ['true'], status: ['true'] };
  const site = (name: string, { endpoint }: TestRedis): unknown => ({
    ...{ worker: name, gateways: [], network: [], stateDir: join(dir, name) },
    redis: {
      host: '127.0.0.1',
      port: endpoint.port,
      password: 'env:R',
      method: 'files',
      database: 0,
      service: RUNS,
    },
  });
  section = {
    beacon: { interval: 1_000, keep: 600_000 },
    backup: { repository: join(dir, 'sets'), copies: [sftpCopy(sftp)] },
    sites: { primary: site('primary', live), dr: site('dr', recovered) },
  } as unknown as Deployment;
  deps = {
    ...{ worker: 'dr', deployment: () => section, digest: () => 'c', usedSecrets: () => [] },
    secret: () => Promise.resolve(REDIS_PASSWORD),
  };
});
afterAll(async () => {
  await Promise.all([live?.close(), recovered?.close(), sftp?.stop()]);
  await rm(dir, { recursive: true, force: true });
});

const marks = (name: 'primary' | 'dr'): Promise<number[]> =>
  readMarks(section.sites[name]!, 'redis', deps.secret);
/** Sent files of one writer: the hour may turn. */
const sent = async (): Promise<string[]> =>
  (await readdir(join(dir, 'off-site', 'tyk-dr', 'acme', 'beacon')).catch(() => [])).filter((name) =>
    name.endsWith('.log'),
  );

const measure = (basisAt: string): Promise<MeasureLossResult> => {
  const input = {
    ...{
      run: 'rec-1',
      step: 'measure-loss',
      epoch: 7,
      configDigest: 'c',
      notAfter: '2999-01-01T00:00:00Z',
      basisAt,
    },
    plan: { deployment: 'acme', from: 'primary', to: 'dr', objectives: { rtoMs: 900_000, rpoMs: 300_000 } },
  } as unknown as StepInput;
  return new MockActivityEnvironment().run(createMeasureLossActivities(deps)['measure-loss'], input);
};

test('the journal comes from a copy; what never reached it is a gap, and no guess', async () => {
  const end = new AbortController();
  const beacon = runBeacon({
    ...{ deps: { ...deps, worker: 'primary' }, deployment: 'acme', siteName: 'primary', worker: 'primary' },
    ...{ say: () => undefined, signal: end.signal, shipEveryMs: 500 },
  });
  await expect
    .poll(async () => (await marks('primary')).length, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(2);
  // A recovery will bring back Redis as it is now.
  const old = await marks('primary');
  await recovered.client().rpush('tyk-dr:beacon', ...old);
  await expect
    .poll(async () => (await marks('primary')).length, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(old.length + 3);
  const shipped = async (): Promise<string> =>
    (
      await Promise.all(
        (await sent()).map((name) =>
          readFile(join(dir, 'off-site', 'tyk-dr', 'acme', 'beacon', name), 'utf8'),
        ),
      )
    ).join('');
  await expect
    .poll(async () => Math.max(0, ...parseJournal([await shipped()]).acks.redis.keys()), { timeout: 20_000 })
    .toBeGreaterThan(Math.max(...old));
  end.abort();
  await beacon;
  // What was written in the last moment may not have been acknowledged, or not have reached the copy.
  const folder = join(dir, 'off-site', 'tyk-dr', 'acme', 'beacon');
  const texts = await Promise.all((await sent()).map((name) => readFile(join(folder, name), 'utf8')));
  const all = [...parseJournal(texts).acks.redis.keys()];
  expect(Math.max(...all)).toBeGreaterThan(Math.max(...old));
  await live.close();
  await Promise.all(['primary', 'sets'].map((name) => rm(join(dir, name), { recursive: true, force: true })));
  expect(await readdir(dir)).not.toContain('sets');

  // Nobody noticed for a minute: of that time nothing is journalled anywhere.
  const basisMs = (Math.max(...all) + 60) * 1000;
  const { losses, summary } = await measure(new Date(basisMs).toISOString());
  expect(summary).toContain('the journal of the copy sftp was read');
  const behind = all.filter((number) => number > Math.max(...old));
  expect(losses).toMatchObject([
    {
      ...{ store: 'redis', newestJournalled: Math.max(...all), newestRecovered: Math.max(...old) },
      ...{ lost: behind.length, holes: 0, maxMs: basisMs - Math.max(...old) * 1000 },
      gaps: [{ after: Math.max(...all), before: basisMs / 1000 }],
    },
  ]);
  expect(losses[0]!.minMs).toBeGreaterThanOrEqual(0);
  expect(losses[0]!.minMs).toBeLessThanOrEqual((Math.max(...all) - Math.max(...old)) * 1000);
  expect(await readdir(join(dir, 'dr'))).toEqual([]);
});

test('with no copy left either, nothing is measured, and it says why', async () => {
  await rm(join(dir, 'sets'), { recursive: true, force: true });
  await sftp.stop();
  const { losses, summary } = await measure(new Date().toISOString());
  expect(summary).toContain('the journal of the copy sftp could not be read');
  expect(losses).toMatchObject([{ notMeasured: expect.stringContaining('holds no number') as string }]);
});
