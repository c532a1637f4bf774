import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../adapters/config/load.ts';
import { shapeOf } from '../../runbooks/shape-of.ts';
import { healPlan } from '../../runbooks/monitor-plan.ts';
import { callActivity } from '../harness/activity.ts';
import { stepOf, writeDeployment, type TestDeployment } from '../harness/deployment.ts';

/** One of two Gateways is dead: whoever starts it again leaves the other one, which serves, alone. */

let dir: string;
let deployment: TestDeployment;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-as-is-'));
  deployment = await writeDeployment(dir, {});
  const config = parse(await readFile(deployment.configFile, 'utf8')) as {
    deployments: { acme: { sites: { dr: { gateways: { name: string }[] } } } };
  };
  const { dr } = config.deployments.acme.sites;
  const [first] = dr.gateways;
  dr.gateways = ['gw1', 'gw2'].map((name, index) => ({
    ...first!,
    ...{ name, root: join(dir, name), url: `http://127.0.0.1:${21 + index}` },
    // Both run, though one does not answer: it hangs.
    service: {
      start: ['true'],
      stop: ['sh', '-c', 'rm "$0" && echo "$0" >> "$1"', join(dir, `${name}-runs`), join(dir, 'stopped')],
      status: ['sh', '-c', 'test -e "$0" || exit 3', join(dir, `${name}-runs`)],
    },
  }));
  await writeFile(deployment.configFile, stringify(config));
  for (const name of ['gw1', 'gw2']) await writeFile(join(dir, `${name}-runs`), '');
  deployment = {
    ...deployment,
    deployment: (await loadConfig(deployment.configFile)).deployments['acme']!,
  };
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test.each(['claim-target', 'stop-target'])(
  '%s stops what is dead, and nothing that lives',
  async (activity) => {
    await writeFile(join(dir, 'gw1-runs'), '');
    await rm(join(dir, 'stopped'), { force: true });
    const dead = { component: 'gateway', names: ['gateway gw1'], why: 'no answer' } as const;
    const plan = healPlan(shapeOf('acme', deployment.deployment), 'dr', dead);
    const input = { ...stepOf(deployment, { run: 'rec-test', step: activity, set: 'none' }), plan };
    const { error } = await callActivity({ configFile: deployment.configFile, activity, input });
    expect(error).toBeUndefined();
    expect(await readFile(join(dir, 'stopped'), 'utf8')).toBe(`${join(dir, 'gw1-runs')}\n`);
  },
);
