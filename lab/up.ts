import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readStandbyMark } from '../adapters/host/standby-mark.ts';
import { waitReady as waitForPostgres } from '../adapters/postgres/client.ts';
import { DrError } from '../domain/errors.ts';
import { runsWarm } from '../domain/strategy.ts';
import { awaitBeacon } from './await-beacon.ts';
import { heal, isDamaged, markDamaged, reloadGateways } from './break.ts';
import { found, isFounded, prepareServer } from './found.ts';
import { declareHaproxy } from './haproxy.ts';
import { makeKeys } from './keys.ts';
import { configFile, findLab, hasDatabase, localUrl, saveLab, siteDir, SITES } from './layout.ts';
import type { Lab, LabChoices, SiteName } from './layout.ts';
import { declareClients } from './load-generator.ts';
import { declareMongo, startMongo } from './mongodb.ts';
import { putDefinitionsBack } from './seed-site.ts';
import { declareService, installScript, nodeProgram, start } from './services.ts';
import { servingSite } from './serving.ts';
import { declarePostgres, declareRedis, prepareOutside, startPostgres } from './stores.ts';
import { declareTemporal, startTemporal } from './temporal.ts';
import { declareTyk, startTyk } from './tyk-site.ts';
import { superuserOf } from './connections.ts';

/** Brings the lab up: everything that is missing is made, everything that is stopped is started. Repeatable. */

type Say = (text: string) => void;

const SERVES_TIMEOUT_MS = 60_000;

/**
 * After it the site that clients are sent to serves, whatever was broken. A site that was given up by a recovery
 * stays down: lifting its fence is a recovery's business.
 */
export async function up(lab: Lab, say: Say): Promise<void> {
  await installScript(lab);
  await makeKeys(lab);
  await prepareOutside(lab);
  for (const site of SITES) await declareSite(lab, site);
  await declareHaproxy(lab);
  await declareTemporal(lab);
  await declareNode(lab, 'upstream', '../lab/upstream/main.js', ['--port', String(lab.ports.upstream)]);
  await declareClients(lab);
  await timed(say, 'Temporal', () => startTemporal(lab));
  await timed(say, 'upstream and load balancer', async () => {
    await start(lab, 'upstream');
    await start(lab, 'haproxy');
  });
  for (const site of SITES) await heal(lab, site);
  const { site, why } = await servingSite(lab);
  if (site !== undefined && !(await isFounded(lab, site)))
    await timed(say, `data of the ${site} site`, () => found(lab, site));
  for (const other of SITES) if (other !== site) await prepareServer(lab, other);
  for (const other of SITES) if (other !== site) await startStandby(lab, other);
  await timed(say, 'workers', () => startWorkers(lab));
  if (site === undefined) say(`no site serves: ${why}`);
  else await timed(say, `Tyk on the ${site} site`, () => serve(lab, site));
  await start(lab, 'clients');
  if (site !== undefined && !(await awaitBeacon(lab, site))) say(`no beacon writes on the ${site} site yet`);
}

/** Fills the serving site anew, from another number or at another scale. */
export async function reseed(lab: Lab, choices: Partial<LabChoices>, say: Say): Promise<void> {
  const { site, why } = await servingSite(lab);
  if (site === undefined) throw new DrError('LAB_IDLE', { reason: why });
  const changed = { ...lab, ...choices };
  await saveLab(changed);
  await timed(say, `data of the ${site} site`, () => found(changed, site));
  // The founding has counted itself.
  await timed(say, `Tyk on the ${site} site`, async () => serve((await findLab(lab.dir))!, site));
}

async function declareSite(lab: Lab, site: SiteName): Promise<void> {
  await mkdir(siteDir(lab, site, 'state'), { recursive: true });
  await declareRedis(lab, site);
  if (hasDatabase(lab, 'postgresql')) await declarePostgres(lab, site);
  if (hasDatabase(lab, 'mongodb')) await declareMongo(lab, site);
  await declareTyk(lab, site);
}

async function serve(lab: Lab, site: SiteName): Promise<void> {
  const damaged = await isDamaged(lab, site);
  if (damaged) {
    if (hasDatabase(lab, 'mongodb')) await startMongo(lab, site);
    else {
      await startPostgres(lab, site);
      await awaitPostgres(lab, site);
    }
    await putDefinitionsBack(lab, site);
    await markDamaged(lab, site, false);
  }
  await startTyk(lab, site);
  if (damaged) await reloadGateways(lab, site);
  await awaitClientsServed(lab, site);
}

/** What follows another site runs as well: its stores, and on a warm one what stands on them. */
async function startStandby(lab: Lab, site: SiteName): Promise<void> {
  if ((await readStandbyMark(siteDir(lab, site, 'state'))) === undefined) return;
  if (hasDatabase(lab, 'postgresql')) await startPostgres(lab, site);
  await start(lab, `${site}-redis`);
  // A Pump that writes into stores which only follow would lose what it has taken.
  if (runsWarm(lab.strategy)) await startTyk(lab, site, ['pump']);
}

async function awaitPostgres(lab: Lab, site: SiteName): Promise<void> {
  const connection = await superuserOf(lab, site);
  await (await waitForPostgres(connection, { deadlineMs: SERVES_TIMEOUT_MS })).end();
}

/** As a client sees it: through the load balancer, by the Gateways, from the upstream. */
async function awaitClientsServed(lab: Lab, site: SiteName): Promise<void> {
  const url = `${localUrl(lab.ports.traffic)}/api-0/`;
  const deadline = Date.now() + SERVES_TIMEOUT_MS;
  for (;;) {
    const status = await fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    if (Date.now() > deadline)
      throw new DrError('SERVICE_FAILED', {
        service: 'the site',
        site,
        action: `answer clients at ${url}`,
        reason: `the last answer was ${status || 'none'}`,
      });
    await sleep(100);
  }
}

async function startWorkers(lab: Lab): Promise<void> {
  const program = fileURLToPath(new URL('../../bin/tyk-dr.js', import.meta.url));
  for (const site of SITES) {
    await declareService(lab, {
      name: `worker-${site}`,
      // As the README advises: Temporal's core has many threads, and glibc would keep memory for each.
      env: { MALLOC_ARENA_MAX: '2' },
      argv: nodeProgram(program, '--config', configFile(lab), 'worker', site),
    });
    await start(lab, `worker-${site}`);
  }
}

async function declareNode(lab: Lab, name: string, main: string, args: string[]): Promise<void> {
  await declareService(lab, {
    name,
    argv: nodeProgram(fileURLToPath(new URL(main, import.meta.url)), ...args),
  });
}

async function timed(say: Say, what: string, work: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  await work();
  say(`${what}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}
