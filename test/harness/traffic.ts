import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { driverOf } from '../../activities/traffic/choose.ts';
import type { TrafficDriver } from '../../activities/traffic/driver.ts';
import { configDigest } from '../../adapters/config/digest.ts';
import { loadConfig } from '../../adapters/config/load.ts';
import { resolveSecret } from '../../adapters/config/secrets.ts';
import type { StepInput } from '../../domain/plan.ts';
import { callActivity, type ActivityCall, type ChildEnd } from './activity.ts';
import { stepOf, writeDeployment, type TestDeployment } from './deployment.ts';

/** A deployment of which only `traffic:` is real, and its steps as a worker runs them. */

export interface TrafficScene extends TestDeployment {
  readonly driver: () => TrafficDriver;
  readonly callOf: (activity: string, how?: How) => ActivityCall;
  readonly call: (activity: string, how?: How) => Promise<ChildEnd>;
  readonly close: () => Promise<void>;
}

interface How {
  readonly run?: string;
  /** Whether the other site still serves: no step fences it. */
  readonly serving?: boolean;
}

export async function trafficScene(traffic: object, probes: readonly object[] = []): Promise<TrafficScene> {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-traffic-'));
  const written = await writeDeployment(dir, {});
  const config = parse(await readFile(written.configFile, 'utf8')) as { deployments: { acme: object } };
  Object.assign(config.deployments.acme, { traffic, probes });
  await writeFile(written.configFile, stringify(config));
  const deployment = (await loadConfig(written.configFile)).deployments['acme']!;
  const scene = { ...written, deployment };
  await mkdir(deployment.sites['dr']!.stateDir, { recursive: true });
  const inputOf = (activity: string, { run = 'rec-1', serving = false }: How): StepInput => {
    const input = stepOf(scene, { run, step: activity, set: 'set-1' });
    const steps = input.plan.steps.filter((id) => !serving || id !== 'fence-source');
    return { ...input, plan: { ...input.plan, steps }, configDigest: configDigest(deployment) };
  };
  const callOf = (activity: string, how: How = {}): ActivityCall => ({
    ...{ configFile: scene.configFile, activity },
    input: inputOf(activity, how),
  });
  return {
    ...scene,
    driver: () =>
      driverOf(deployment, { run: 'rec-1', signal: new AbortController().signal, secret: resolveSecret })!,
    callOf,
    call: (activity, how) => callActivity(callOf(activity, how)),
    close: () => rm(dir, { recursive: true, force: true }),
  };
}
