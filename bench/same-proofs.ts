import { MockActivityEnvironment } from '@temporalio/testing';
import { configDigest } from '../adapters/config/digest.ts';
import { loadConfig } from '../adapters/config/load.ts';
import { requireNewestUsable } from '../adapters/backup/repository.ts';
import { withClient } from '../adapters/postgres/client.ts';
import { checkRelations, databaseFacts } from '../adapters/postgres/proof.ts';
import { adminConnection } from '../activities/endpoints.ts';
import { shapeOf } from '../runbooks/shape-of.ts';
import { resolveSecret } from '../adapters/config/secrets.ts';
import { clusterOf } from '../domain/cluster.ts';
import type { Deployment } from '../domain/config.ts';
import type { StepInput } from '../domain/plan.ts';
import type { StepResult } from '../domain/run.ts';
import { compilePlan } from '../runbooks/plan.ts';
import { wire } from '../worker/wire.ts';

/** The proofs of `tyk-dr recover`, by its own code, on a target that was recovered by other means. */

/** Not a step of its own in `recover`: part of restore-database-data. */
const PAGES = 'every page and row';
const OF_DATA = [['prove-redis', 'prove-database', PAGES]];
const OF_SERVICE = [
  ['prove-dashboard'],
  // It runs already: the step waits until /hello names Redis and the Dashboard.
  ['start-gateways'],
  ['prove-gateways'],
  ['prove-apis', 'prove-authentication', 'prove-analytics'],
  ['switch-traffic'],
  ['prove-traffic'],
];

/** However busy the machine: no step of this list waits in a queue. */
const NOT_AFTER_MS = 3_600_000;

/** Each answers how long it took, in milliseconds, and throws what the failed proof throws. */
export interface SameProofs {
  /** Call before the Dashboard is started, which writes into Redis. */
  readonly ofData: () => Promise<number>;
  readonly ofService: () => Promise<number>;
}

export async function sameProofs(configFile: string, name: string): Promise<SameProofs> {
  const config = await loadConfig(configFile);
  const deployment = config.deployments[name]!;
  const input = await stepInput(name, deployment);
  const activities = wire(config, 'dr', 'bench').activities as unknown as Record<
    string,
    (input: StepInput) => Promise<StepResult>
  >;
  const call = async (step: string): Promise<unknown> =>
    step === PAGES
      ? readEveryPage(deployment)
      : new MockActivityEnvironment().run(activities[step]!, { ...input, step });
  const prove = async (steps: readonly (readonly string[])[]): Promise<number> => {
    const startedAt = performance.now();
    for (const together of steps) await Promise.all(together.map(call));
    return performance.now() - startedAt;
  };
  return { ofData: () => prove(OF_DATA), ofService: () => prove(OF_SERVICE) };
}

async function stepInput(name: string, deployment: Deployment): Promise<Omit<StepInput, 'step'>> {
  const plan = compilePlan(shapeOf(name, deployment), {
    to: 'dr',
    backup: 'latest',
    scenario: 'infrastructure',
    inPlace: false,
    onFailure: 'abort',
  });
  return {
    run: `bench-${Date.now()}`,
    plan,
    configDigest: configDigest(deployment),
    epoch: Date.now(),
    notAfter: new Date(Date.now() + NOT_AFTER_MS).toISOString(),
    basisAt: new Date().toISOString(),
    set: await requireNewestUsable(deployment.backup, name),
  };
}

/** What restore-database-data proves before it switches: every page, every row, the schema. */
async function readEveryPage(deployment: Deployment): Promise<void> {
  const database = clusterOf(deployment.sites['dr']!);
  const connection = { ...(await adminConnection(database, resolveSecret)), database: database.name };
  await Promise.all([
    withClient(connection, (client) => databaseFacts(client, { recoveredLsn: '0/0', timeline: 1 })),
    checkRelations(database.binDir, connection),
  ]);
}
