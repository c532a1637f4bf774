import { redisVersion, requireReads } from '../adapters/redis/version.ts';
import { serviceState, type ServiceState } from '../adapters/service/service.ts';
import type { Site } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { Component, Proof } from '../domain/run.ts';
import { methodOf } from './database/choose.ts';
import type { Call } from './guard.ts';
import { proof } from './proofs.ts';
import { requireTool, signingTools } from './require-tool.ts';
import { serves, type SiteService } from './site.ts';

/** Whether a host has the programs that the recovery needs, or will have them once `provision-target` has run. */

export interface Tools {
  readonly proofs: readonly Proof[];
  /** What is not there yet and a configured command is to bring. */
  readonly toCome: readonly string[];
}

/**
 * @param provisioned whether the configured commands have run: then nothing may be missing any more.
 * @throws DrError TOOL_MISSING, REDIS_TOO_OLD, POSTGRES_VERSION
 */
export async function checkTools(call: Call, manifest: Manifest, provisioned: boolean): Promise<Tools> {
  const { worker, target, input } = call;
  const proofs: Proof[] = [];
  const toCome: string[] = [];
  const check = async (what: string, comes: boolean, look: () => Promise<Proof[]>): Promise<void> => {
    try {
      proofs.push(...(await look()));
    } catch (error) {
      if (provisioned || !comes || !isAbsence(error)) throw error;
      toCome.push(what);
    }
  };
  const restores = (store: 'redis' | 'database'): boolean =>
    serves(worker, target, target[store]) && input.plan.steps.includes(`restore-${store}-data`);
  await check('tools', target.provision !== undefined, async () => {
    for (const tool of ['age', 'zstd', 'tar', 'flock', 'setpriv', ...signingTools(call.deployment)])
      await requireTool(tool);
    return [];
  });
  const { redis, database } = target;
  // A managed one is asked itself: see `checkRunningRedis`.
  if (redis?.service && manifest.redis && restores('redis')) {
    const facts = manifest.redis;
    await check('redis', isToCome(target, 'redis'), async () => {
      const actual = await redisVersion(redis.binary);
      requireReads(actual, facts.rdbVersion, facts.version);
      const expected = `RDB ${facts.rdbVersion} of Redis ${facts.version}`;
      return [proof('Redis reads the RDB', true, expected, `Redis ${actual}`)];
    });
  }
  if (database && manifest.database && restores('database')) {
    await check('database', isToCome(target, 'database'), () =>
      methodOf(database).checkTools(call, manifest),
    );
  }
  return { proofs, toCome };
}

/** The state of a service; one whose program is still to be installed is stopped. */
export async function stateOrAbsent(target: Site, service: SiteService): Promise<ServiceState> {
  try {
    return await serviceState(service);
  } catch (error) {
    if (isToCome(target, service.component, service.name)) return 'stopped';
    throw error;
  }
}

/** Whether a configured command may still bring the component. */
function isToCome(target: Site, component: Component, name?: string): boolean {
  if (target.provision !== undefined || component === 'traffic') return target.provision !== undefined;
  if (component !== 'gateway') return target[component]?.install !== undefined;
  return target.gateways.some(
    (gateway) => `gateway ${gateway.name}` === name && gateway.install !== undefined,
  );
}

/** Not there, or there in a version that the installation is to replace. */
function isAbsence(error: unknown): boolean {
  return (
    error instanceof DrError &&
    ['TOOL_MISSING', 'REDIS_TOO_OLD', 'POSTGRES_VERSION', 'POSTGRES_TOO_OLD'].includes(error.code)
  );
}
