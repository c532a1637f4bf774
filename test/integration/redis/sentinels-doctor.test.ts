import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkSentinels } from '../../../activities/doctor/sentinels.ts';
import { checkReplication } from '../../../activities/doctor/replication.ts';
import { resolveSecret } from '../../../adapters/config/secrets.ts';
import { writeStandbyMark } from '../../../adapters/host/standby-mark.ts';
import { withClient } from '../../../adapters/redis/client.ts';
import { eventually } from '../../harness/gateway.ts';
import {
  failingOver,
  done,
  makeFollow,
  recovering,
  startWatched,
  untilNamed,
  untilRole,
  type SiteName,
  type Watched,
} from '../../harness/sentinels.ts';

/** Faults planted into real Sentinels and the servers below them: the doctor finds each, by name. */

let watched: Watched;
beforeAll(async () => {
  watched = await startWatched();
  await makeFollow(watched, 'dr');
  const { dr } = watched.scene.deployment.sites;
  await writeStandbyMark(dr!.stateDir, { of: 'primary', run: 'rep-test', at: new Date().toISOString() });
}, 60_000);
afterAll(() => watched?.close());

async function found(siteName: SiteName, check = checkSentinels): Promise<string> {
  const { deployment } = watched.scene;
  const findings = await check({
    ...{ worker: siteName, deploymentName: 'acme', deployment, siteName, site: deployment.sites[siteName]! },
    ...{ where: siteName, live: siteName === 'primary', nonce: '', signal: new AbortController().signal },
    secret: (reference) => resolveSecret(reference),
  });
  return findings.map(({ severity, message }) => `${severity}: ${message}`).join('\n');
}

const set = (site: SiteName, name: string, value: string): Promise<unknown> =>
  withClient(watched.servers[site].endpoint, (client) => client.config('SET', name, value));

test('all is well where both are known and can be chosen', async () => {
  for (const site of ['primary', 'dr'] as const)
    expect(await found(site)).toBe('ok: the Sentinels of tyk know its Redis, and can agree');
  expect(await found('dr', checkReplication)).toMatch(/^ok: Redis follows .*, also after a restart$/);
});

test.each([
  ['primary', 'min-replicas-to-write', '1', '0', /^warning: min-replicas-to-write is 1: the master refuses/],
  [
    'primary',
    'min-replicas-to-write',
    '1000000',
    '0',
    /^error: .* a failover that was not ended has left it/,
  ],
  [
    'dr',
    'replica-priority',
    '0',
    '100',
    /^error: they would not make its Redis the master: its replica-priority/,
  ],
] as const)('%s with %s %s', async (site, name, value, back, message) => {
  await set(site, name, value);
  await eventually(async () => expect(await found(site)).toMatch(message), 20_000);
  await set(site, name, back);
  await eventually(async () => expect(await found(site)).toMatch(/^ok/), 20_000);
});

test('a master that could not follow one day', async () => {
  const [, login] = await withClient(watched.servers.primary.endpoint, (c) => c.config('GET', 'masterauth'));
  await set('primary', 'masterauth', '');
  expect(await found('primary')).toMatch(
    /^error: masterauth is not set: once the Sentinels make it a replica/,
  );
  await set('primary', 'masterauth', login!);
});

test('Sentinels that a recovery has left still', async () => {
  const step = recovering(watched, { to: 'primary', from: 'primary', component: 'redis', inPlace: true });
  await done(step('claim-target', { on: 'primary' }));
  await watched.servers.primary.start();
  expect(await found('primary')).toMatch(
    /^warning: Sentinels were told to hold still by a recovery, and not/m,
  );
  await done(step('start-redis', { on: 'primary', set: 'none' })).catch(() => undefined);
  await done(step('stop-target', { on: 'primary' }));
  await watched.servers.primary.start();
  expect(await found('primary')).not.toContain('hold still');
}, 60_000);

test('a master on the site that does not serve, and Sentinels that are away', async () => {
  // A store without a key is not taken over.
  const { port } = (await watched.view()).master;
  const master = Object.values(watched.servers).find(({ endpoint }) => endpoint.port === port)!;
  await withClient(master.endpoint, (client) => client.set('apikey-1', '{}'));
  await makeFollow(
    watched,
    (await watched.view()).master.port === watched.servers.primary.endpoint.port ? 'dr' : 'primary',
  );
  if ((await watched.view()).master.port === watched.servers.primary.endpoint.port)
    await done(failingOver(watched, { to: 'dr', mode: 'forced' })('promote-redis'));
  await untilNamed(watched, 'dr');
  await untilRole(watched.servers.primary, 'replica');
  expect(await found('primary')).toMatch(
    new RegExp(
      `warning: they have made 127.0.0.1:${watched.servers.dr.endpoint.port} the master, while primary`,
    ),
  );
  expect(await found('dr', checkReplication)).toBe('');
  await watched.sentinels[1]!.kill();
  await watched.sentinels[2]!.kill();
  await eventually(async () => {
    const text = await found('dr');
    expect(text).toMatch(/^warning: a Sentinel is not reached from here: 127.0.0.1/m);
    expect(text).toMatch(/^error: they could not agree on another master: NOQUORUM/m);
  }, 30_000);
  await watched.sentinels[0]!.kill();
  expect(await found('dr')).toMatch(/^error: no Sentinel of .* tells the master 'tyk'/);
}, 60_000);
