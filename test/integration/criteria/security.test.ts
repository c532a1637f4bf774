import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { putKey } from '../../../adapters/tyk/keys.ts';
import type { Criterion } from '../../../domain/criteria.ts';
import { judgeCriteria } from '../../../domain/judge-criteria.ts';
import type { MeasurePerformanceResult } from '../../../domain/plan.ts';
import type { StepResult } from '../../../domain/run.ts';
import { SECURITY_CHECKS, type SecurityCheck } from '../../../domain/security-checks.ts';
import { Secret } from '../../../domain/secret.ts';
import { makeToken } from '../../../lab/tyk/key-hash.ts';
import { accessTo } from '../../../lab/tyk/policy.ts';
import { CONTROL_SECRET, type RunningGateway } from '../../harness/gateway.ts';
import { runRecord } from '../../harness/run-record.ts';
import { ORG, startScene, untilStatus, type Scene } from '../../contract/gateway/scene.ts';
import { proveSite, startFront, type Front, type ProvenSite, type SiteOptions } from './scene.ts';

/** The steps behind `security` and `performance`, on the Gateway program, with Redis and a way in: good, and with faults. */

const PAST = 1_704_067_200;
const TYKS_OWN = '352d20ee67be67f6340b4c0605b044b7';

let scene: Scene;
let folder: string;
let gateway: RunningGateway;
const fronts: Front[] = [];

beforeAll(async () => {
  scene = await startScene();
  folder = await mkdtemp(join(tmpdir(), 'tyk-dr-criteria-'));
  for (const name of ['apps', 'policies']) await mkdir(join(folder, name));
  for (const api of [scene.api({ apiId: 'open', auth: 'keyless' }), scene.api({ apiId: 'token' })])
    await writeFile(
      join(folder, 'apps', `${api.api_definition.api_id}.json`),
      JSON.stringify(api.api_definition),
    );
  const source = { appPath: join(folder, 'apps'), policyPath: join(folder, 'policies') };
  gateway = await scene.gateway({ source });
  await untilStatus(gateway, '/open/', 200);
});
afterAll(async () => {
  for (const front of fronts) front.end();
  await scene.end();
  await rm(folder, { recursive: true, force: true });
});

async function site(
  name: string,
  front: { open?: boolean; delayMs?: number } = {},
  more: Partial<SiteOptions> = {},
): Promise<ProvenSite> {
  const way = await startFront(gateway.url, front);
  fronts.push(way);
  const dir = join(folder, name);
  await mkdir(dir);
  const access = { access_rights: accessTo(['token']) };
  const keys = {
    known: await scene.storeKey(access),
    wrong: makeToken(ORG),
    expired: await scene.storeKey({ ...access, expires: PAST }),
    revoked: makeToken(ORG),
  };
  const options = { dir, scene, gateway, front: way, keys, apps: join(folder, 'apps') };
  return proveSite({ ...options, ...more });
}

function security(proven: ProvenSite, { proofs = [] }: StepResult): Criterion {
  const record = runRecord({ proofs: proofs.map((proof) => ({ ...proof, step: 'prove-security' })) });
  const planned = proven.plan.criteria!.filter(({ id }) => id === 'security');
  return judgeCriteria(record, planned)[0]!;
}

/** Of each check the worst verdict. */
function byCheck({ proofs = [] }: StepResult): Partial<Record<SecurityCheck, string>> {
  return Object.fromEntries(
    SECURITY_CHECKS.map((check) => {
      const verdicts = proofs.filter(({ name }) => name.startsWith(check)).map(({ verdict }) => verdict);
      return [check, verdicts.find((verdict) => verdict !== 'pass') ?? verdicts[0]];
    }),
  );
}

describe.concurrent('prove-security', () => {
  test('passes every check on a site where they hold, and leaves no key behind', async () => {
    const proven = await site('good');
    const result = await proven.run('prove-security', {}, { run: 'rec-good' });
    expect(byCheck(result)).toEqual(Object.fromEntries(SECURITY_CHECKS.map((check) => [check, 'pass'])));
    expect(security(proven, result)).toMatchObject({ verdict: 'pass', found: 'all 9 checks pass' });
    const { client } = scene.redis;
    const sessions = await Promise.all((await client.keys('apikey-*')).map((key) => client.get(key)));
    expect(sessions.filter((session) => session?.includes('tyk-dr rec-good'))).toEqual([]);
    expect(JSON.stringify(result)).not.toContain(CONTROL_SECRET.reveal());
  });

  test('finds each planted fault under its own name, and no secret goes into what it says', async () => {
    const access = { access_rights: accessTo(['token']) };
    const keys = {
      known: await scene.storeKey(access),
      // An old backup has brought both back.
      revoked: await scene.storeKey(access),
      expired: await scene.storeKey({ ...access, expires: 0 }),
      wrong: await scene.storeKey(access),
    };
    const conf = {
      secret: TYKS_OWN,
      hash_keys: false,
      security: { private_certificate_encoding_secret: 'change-me' },
    };
    const proven = await site('bad', { open: true }, { keys, conf, confMode: 0o644 });
    const result = await proven.run('prove-security');
    expect(byCheck(result)).toEqual({
      'wrong keys are refused': 'fail',
      'revoked keys stay refused': 'fail',
      'expired sessions are dead': 'fail',
      // The Gateway itself asks for its secret; that it can be asked at all is the fault.
      'admin interfaces demand their secrets': 'pass',
      'admin interfaces are closed to clients': 'fail',
      'certificates are valid and the right ones': 'pass',
      'secrets are not readable by others': 'fail',
      'keys are hashed': 'fail',
      'no default secrets': 'fail',
    });
    const told = JSON.stringify(result);
    for (const secret of [TYKS_OWN, 'change-me', CONTROL_SECRET.reveal(), ...Object.values(keys)])
      expect(told).not.toContain(secret);
    expect(told).toContain('tyk.conf has mode 644');
    expect(security(proven, result).verdict).toBe('fail');
  });

  test('says what it could not look at: no key that was revoked before, no way in', async () => {
    const changes = { traffic: undefined, probes: [{ name: 'open', path: '/open/' }] };
    const proven = await site('bare', {}, { changes });
    const result = await proven.run('prove-security');
    expect(byCheck(result)).toMatchObject({
      'wrong keys are refused': 'pass',
      'revoked keys stay refused': 'not-measured',
      'admin interfaces are closed to clients': 'not-measured',
    });
    expect(security(proven, result)).toMatchObject({
      verdict: 'not-measured',
      found: expect.stringContaining('no probe proves revoked-key') as string,
    });
  });
});

test('a revoked key that is put back by the control API is let in again: what a drill plants', async () => {
  const revoked = new Secret(makeToken(ORG));
  const request = { organisation: ORG, api: { id: 'token', name: 'token' }, alias: 'planted', expires: 0 };
  expect((await gateway.get('/token/', { key: revoked.reveal() })).status).toBe(403);
  expect(await putKey(gateway.url, CONTROL_SECRET, revoked, request)).toBeUndefined();
  expect((await gateway.get('/token/', { key: revoked.reveal() })).status).toBe(200);
  const ofAnotherGateway = new Secret(makeToken(ORG, undefined, 'sha256'));
  expect(await putKey(gateway.url, CONTROL_SECRET, ofAnotherGateway, request)).toContain('another key');
});

describe.concurrent('measure-performance', () => {
  const slos = { availabilityPercent: 99, p95Ms: 4_000, requestsPerSecond: 2 };
  const load = { duration: '1s', requestsPerSecond: 20 };
  const measured = async (proven: ProvenSite) =>
    (await proven.run('measure-performance')) as MeasurePerformanceResult;

  test('sends what proves api and known-key through the clients’ address, and holds it against the SLOs', async () => {
    const { figures, proofs } = await measured(await site('quick', {}, { changes: { slos, load } }));
    expect(figures).toMatchObject({ requests: 20, availabilityPercent: 100, errorPercent: 0 });
    expect(proofs!.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['availability under load', 'pass'],
      ['p95 under load', 'pass'],
      ['capacity reached under load', 'pass'],
    ]);
  });

  test('misses its p95 behind a slow way in', async () => {
    const { proofs } = await measured(
      await site('slow', { delayMs: 400 }, { changes: { slos: { p95Ms: 300 }, load } }),
    );
    expect(proofs!.find(({ name }) => name === 'p95 under load')).toMatchObject({
      verdict: 'fail',
      expected: 'at most 300 ms',
    });
  });

  test('counts what is answered otherwise than it must be, and says what it was', async () => {
    const wanted = { load: { ...load, probes: ['wrong key', 'open'] }, slos: { errorPercent: 1 } };
    const probes = [
      { name: 'open', path: '/open/' },
      { name: 'wrong key', path: '/token/', proves: 'api' },
    ];
    const { figures, summary } = await measured(await site('wrong', {}, { changes: { ...wanted, probes } }));
    expect(figures).toMatchObject({ errorPercent: 50, availabilityPercent: 100 });
    expect(summary).toContain('10 answered 401');
  });

  test('of a drill asks the drill’s own Gateways, never where clients come in', async () => {
    const proven = await site('drill', { delayMs: 4_500 }, { changes: { slos, load } });
    const { figures } = (await proven.run('measure-performance', {
      steps: proven.plan.steps.filter((id) => id !== 'prove-traffic'),
    })) as MeasurePerformanceResult;
    expect(figures!.p95Ms).toBeLessThan(4_500);
  });

  test('ends when it is cancelled', async () => {
    const proven = await site('cancelled', {}, { changes: { load: { ...load, duration: '5m' } } });
    const environment = new MockActivityEnvironment(
      { activityType: 'measure-performance' },
      { logger: new DefaultLogger('ERROR') },
    );
    const startedAt = performance.now();
    const running = proven.run('measure-performance', {}, { environment });
    setTimeout(() => environment.cancel(), 300);
    await expect(running).rejects.toThrow();
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
});
