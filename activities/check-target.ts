import { deviceOf, folderBytes, requireFree } from '../adapters/files/disk.ts';
import { readDrillMark } from '../adapters/host/drill-mark.ts';
import { readFence } from '../adapters/host/fence.ts';
import { readStandbyMark } from '../adapters/host/standby-mark.ts';
import { somebodyListens } from '../adapters/host/ports.ts';
import { formatBytes } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { Proof, StepResult } from '../domain/run.ts';
import { addressesOf, SENTINEL } from '../domain/addresses.ts';
import { isOneServer } from '../domain/redis-kind.ts';
import { networkProofs } from './check-network.ts';
import { checkConfigRef } from './config-ref.ts';
import { checkSecrets, checkTraffic } from './check-access.ts';
import { checkTools, stateOrAbsent } from './check-tools.ts';
import { methodOf } from './database/choose.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { recoveryManifest } from './open-set.ts';
import { checkRunningRedis } from './redis-commands.ts';
import { plantedClockStepMs } from './planted.ts';
import { proof } from './proofs.ts';
import { serves, servicesOf } from './site.ts';
import { warmStores } from './warm-stores.ts';
import { checkSentinels } from './watched-redis.ts';

/** Whether the target has what the recovery needs. Nothing here changes anything; every refusal names its cause. */

/** Old and restored data stand side by side until close-out; sort files and WAL need room as well. */
const DISK_MARGIN = 1.2;

export function createCheckTargetActivities(deps: Deps) {
  return { 'check-target': guarded(deps, 'probe', checkTarget) };
}

async function checkTarget(call: Call): Promise<StepResult> {
  const { input } = call;
  const manifest = await recoveryManifest(call);
  const tools = await checkTools(call, manifest, false);
  const rebuilt = input.plan.inPlace || input.plan.component !== undefined;
  await checkNoDrillLeft(call);
  if (rebuilt) await checkNotGivenUp(call);
  else await checkDoesNotServe(call);
  const warm = [
    ...(await warmStores(call, manifest)),
    ...(await checkRunningRedis(call, manifest)),
    ...(await checkSentinels(call)),
  ];
  const disk = await checkDisk(call, manifest);
  const secrets = await checkSecrets(call);
  const traffic = input.plan.drill === undefined ? await checkTraffic(call) : [];
  const network = await networkProofs({
    ...call,
    site: input.plan.to,
    steppedMs: plantedClockStepMs(input.plan),
  });
  const versioned = await checkConfigRef(call);
  const proofs = [
    ...tools.proofs,
    ...warm,
    ...disk,
    proof(
      'the target does not serve',
      true,
      rebuilt ? 'rebuilt on purpose' : 'stopped, ports free',
      rebuilt ? 'rebuilt on purpose' : 'stopped, ports free',
    ),
    ...network,
    ...secrets,
    ...traffic,
    ...versioned,
  ];
  const toCome = tools.toCome.length > 0 ? `; still to be installed: ${tools.toCome.join(', ')}` : '';
  return { summary: `${proofs.length} preconditions hold on ${input.plan.to}${toCome}`, proofs };
}

/** What an earlier drill has left would be taken for the site's own data, and kept. */
async function checkNoDrillLeft({ target, input }: Call): Promise<void> {
  const left = await readDrillMark(target.stateDir);
  if (left === undefined || left.run === input.run) return;
  const { deployment, to: site } = input.plan;
  throw new DrError('DRILL_LEFT', { run: left.run, site, deployment });
}

/** A fence stands for a site that took over. Rebuilding this one beside it would make two that write. */
async function checkNotGivenUp({ target, input }: Call): Promise<void> {
  const by = await readFence(target.stateDir);
  if (by !== undefined) throw new DrError('SITE_GIVEN_UP', { site: input.plan.to, by });
}

/** The name of the site in the configuration proves nothing: what runs and what listens does. */
async function checkDoesNotServe({ worker, target, input }: Call): Promise<void> {
  const site = input.plan.to;
  const standby = await readStandbyMark(target.stateDir);
  if (standby && input.plan.drill)
    throw new DrError('STANDBY_IS_ANOTHER', {
      ...{ site, reason: `it is the standby of ${standby.of}, which a drill there would end` },
    });
  // What runs there follows: damage that came to it with the stream is mended from a set.
  if (standby) return;
  for (const service of servicesOf(site, target, { worker })) {
    if ((await stateOrAbsent(target, service)) === 'running')
      throw new DrError('TARGET_SERVES', { component: service.name, site });
  }
  // What is managed runs all the time, and so may Sentinels and nodes that others run: that they answer says nothing.
  const { redis, database } = target;
  const elsewhere = [
    ...(redis && (!redis.service || !isOneServer(redis)) ? ['redis'] : []),
    SENTINEL,
    ...(database && !database.service ? ['database'] : []),
  ];
  for (const { name: component, component: kind, host, port } of addressesOf(target)) {
    if (elsewhere.includes(kind)) continue;
    if (await somebodyListens(host, port)) throw new DrError('PORT_TAKEN', { port, component, site });
  }
}

async function checkDisk(call: Call, manifest: Manifest): Promise<Proof[]> {
  const { worker, input, target } = call;
  const proofs: Proof[] = [];
  const { steps } = input.plan;
  const needs: [string, string | undefined, number][] = [
    [
      'redis',
      steps.includes('restore-redis-data') && serves(worker, target, target.redis)
        ? restoreFolder(target)
        : undefined,
      manifest.objects.find((object) => object.name === 'redis')?.plain.bytes ?? 0,
    ],
    [
      'database',
      target.database && steps.includes('restore-database-data') && serves(worker, target, target.database)
        ? methodOf(target.database).disk(call)
        : undefined,
      manifest.database?.databaseBytes ?? 0,
    ],
  ];
  // Stores that share a filesystem must fit into it together.
  const onDevice = new Map<number, number>();
  for (const [name, dataDir, bytes] of needs) {
    if (dataDir === undefined) continue;
    const device = await deviceOf(dataDir);
    const needed = Math.ceil(bytes * DISK_MARGIN);
    const together = needed + (onDevice.get(device) ?? 0);
    onDevice.set(device, together);
    await requireFree(dataDir, together);
    proofs.push(
      proof(
        `disk for ${name}`,
        true,
        `${formatBytes(needed)} free`,
        `enough, beside ${formatBytes(await folderBytes(dataDir))} of old data`,
      ),
    );
  }
  return proofs;
}

/** Where what is opened of the set lies before it is put in. */
function restoreFolder({ redis, stateDir }: Call['target']): string | undefined {
  return redis?.method === 'commands' ? stateDir : redis?.dataDir;
}
