import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';
import { configDigest } from '../../adapters/config/digest.ts';
import { parseConfig } from '../../adapters/config/load.ts';
import { PART_OF, requireServed } from '../../activities/served.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import type { StepInput } from '../../domain/plan.ts';
import type { Step } from '../../domain/step.ts';
import { FAILOVER_STEPS } from '../../runbooks/failover.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import { REPLICATE_STEPS } from '../../runbooks/replicate.ts';
import { wire } from '../../worker/wire.ts';
import { recoverInput } from '../harness/recover-input.ts';

/** The example, its database of the second site on a host of its own. */
const config = parseConfig(EXAMPLE, 'tyk-dr.yaml');
const payments = config.deployments['payments']!;
const [first, second] = Object.keys(payments.sites) as [string, string];
const target = {
  ...payments.sites[second]!,
  database: { ...payments.sites[second]!.database!, worker: 'db-host' },
};
const deployment = { ...payments, sites: { ...payments.sites, [second]: target } };
const lead = target.worker;

const TABLES: readonly (readonly Step[])[] = [RECOVER_STEPS, FAILOVER_STEPS, REPLICATE_STEPS];

test('the table agrees with where the runbook calls its steps', () => {
  for (const { id, where } of TABLES.flat()) {
    const single = ['redis', 'database', 'dashboard', 'pump', 'traffic'].includes(where);
    if (single && id !== 'measure-outage') expect(PART_OF[id], id).toBe(where);
    if (PART_OF[id] !== undefined) expect(PART_OF[id], id).toBe(where);
  }
  const known = [...TABLES.flatMap((table) => table.map((step) => step.id)), 'undo-traffic'];
  for (const id of Object.keys(PART_OF)) expect(known).toContain(id);
});

describe('a step', () => {
  test.each([
    ['restore-database-data', 'db-host'],
    ['restore-redis-data', lead],
    ['check-target', 'db-host'],
    ['fence-source', payments.sites[first]!.worker],
  ])('%s is for %s', (step, worker) => {
    expect(() => requireServed(worker, step, deployment, target)).not.toThrow();
  });

  test.each([
    [
      'restore-database-data',
      lead,
      `database of that site, which is served by db-host; it serves redis of ${second}`,
    ],
    [
      'restore-redis-data',
      'db-host',
      `redis of that site, which is served by ${lead}; it serves database of ${second}`,
    ],
    ['check-target', 'stranger', 'this deployment; it serves nothing of it'],
  ])('%s is refused by %s', (step, worker, why) => {
    const run = (): void => requireServed(worker, step, deployment, target);
    expect(run).toThrow(`the worker ${worker} refuses ${step}: it is not configured for ${why}`);
  });
});

test('a task of a deployment that the worker does not know is refused before anything is looked at', async () => {
  const { activities } = wire(config, lead, 'test');
  const { plan, run } = recoverInput();
  const input: StepInput = {
    ...{ run, plan: { ...plan, deployment: 'foreign' }, step: 'start-redis', epoch: 1 },
    ...{ configDigest: configDigest(payments), basisAt: plan.point.kind },
    notAfter: new Date(Date.now() + 60_000).toISOString(),
  };
  const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
  await expect(environment.run(activities['start-redis'], input)).rejects.toMatchObject({
    type: 'WORKER_NOT_CONFIGURED',
    message: `the worker ${lead} refuses start-redis: it is not configured for the deployment foreign; it serves payments`,
    nonRetryable: true,
  });
});
