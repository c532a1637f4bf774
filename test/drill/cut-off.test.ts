import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { partition } from '../../lab/break.ts';
import { localUrl, siteServices, type SiteName } from '../../lab/layout.ts';
import { pidOf, serviceScript, stop } from '../../lab/services.ts';
import { recordOf, TestLab } from '../harness/lab.ts';

/** A site behind a cut cable: neither its services nor its worker answer, and one day they are back. */

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up();
  await lab.expect('backup', 'acme');
});
afterAll(() => lab.down());

const client = async (path: string): Promise<number> =>
  (await fetch(`${localUrl(lab.lab.ports.traffic)}${path}`)).status;

async function running(site: SiteName): Promise<string[]> {
  const services = siteServices(lab.lab);
  const pids = await Promise.all(services.map((service) => pidOf(lab.lab, `${site}-${service}`)));
  return services.filter((_, index) => pids[index] !== undefined);
}

const up = (): Promise<string> => lab.expect('lab', '--dir', lab.lab.dir, 'up');

test('a scenario that restores nothing is refused where the target has nothing', async () => {
  const before = await lab.starts();
  const answer = await lab.recover('--scenario', 'network', '--on-failure', 'abort');
  expect(answer.exitCode, answer.stdout + answer.stderr).toBe(10);
  expect(answer.stdout).toMatch(/redis of site dr is not to be restored, and .* holds no data/);
  expect(answer.stdout).toContain('--scenario regional');
  expect(await lab.starts()).toEqual(before);
});

test('a site that is cut off is recovered elsewhere on a person’s word', async () => {
  await partition(lab.lab, 'primary');
  const cutAt = Date.now();
  const recovering = lab.recover('--scenario', 'regional', '--json');
  await expect
    .poll(async () => (await lab.run('status', 'acme')).stdout, { timeout: 120_000, interval: 500 })
    .toMatch(/fence-source .*could not be fenced: .*(no worker answers|fell silent)/);
  await lab.expect('confirm', 'acme', '--reason', 'the carrier confirms the cut');
  const answer = await recovering;
  expect(answer.exitCode, answer.stdout.slice(-3000) + answer.stderr).toBe(3);
  const record = recordOf(answer);
  expect(record.exceptions.join()).toContain('the carrier confirms the cut');
  // The beacon was cut off with its site: what it had journalled outside is what is known, and no more.
  for (const loss of record.losses!) {
    expect(loss).toMatchObject({ holes: 0, newestJournalled: expect.any(Number) as number });
    expect(loss.newestJournalled! * 1000).toBeLessThanOrEqual(cutAt);
    expect(loss.maxMs).toBeGreaterThanOrEqual(cutAt - loss.newestRecovered! * 1000);
    expect(loss.minMs).toBeLessThanOrEqual(cutAt - loss.newestRecovered! * 1000);
  }
  expect(record.losses).toHaveLength(2);
  expect(await client('/api-0/')).toBe(200);
});

test('when the cut heals, the site that was given up is fenced and stays down', async () => {
  const starts = await lab.starts();
  await up();
  await expect.poll(() => running('primary'), { timeout: 60_000, interval: 200 }).toEqual([]);
  const { exitCode, stderr } = await execa(serviceScript(lab.lab), ['primary-redis', 'start'], {
    reject: false,
  });
  expect(stderr).toMatch(/primary-redis is fenced: run rec-/);
  expect(exitCode).toBe(76);
  await up();
  const after = await lab.starts();
  for (const service of siteServices(lab.lab))
    expect(after[`primary-${service}`]).toBe(starts[`primary-${service}`]);
  expect(await running('dr')).toEqual(siteServices(lab.lab));
});

test('stores that are healthy are started as they are after an outage, none restored', async () => {
  for (const service of [...siteServices(lab.lab)].reverse()) await stop(lab.lab, `dr-${service}`);
  const answer = await lab.recover('--scenario', 'network', '--on-failure', 'abort', '--json');
  const record = recordOf(answer);
  expect(record.exceptions).toEqual([]);
  expect(answer.exitCode, answer.stdout.slice(-3000) + answer.stderr).toBe(0);
  const state = Object.fromEntries(record.steps.map((step) => [step.id, step.state]));
  expect(state).toMatchObject({
    'fence-source': 'done',
    'restore-redis-data': 'not-part',
    'restore-database-data': 'not-part',
    'start-database': 'done',
    'prove-traffic': 'done',
  });
  expect(await client('/api-0/')).toBe(200);
});

test('a site that an earlier failover left behind would bring back the past, and is refused', async () => {
  await lab.expect('backup', 'acme');
  const answer = await lab.run(
    ...['recover', 'acme', '--to', 'primary', '--scenario', 'network'],
    ...['--on-failure', 'abort', '--reason', 'a mistake'],
  );
  expect(answer.exitCode, answer.stdout + answer.stderr).toBe(10);
  expect(answer.stdout).toMatch(/database of site primary .* ends at timeline 1, .* before the backup set/);
  expect(await running('dr')).toEqual(siteServices(lab.lab));
});
