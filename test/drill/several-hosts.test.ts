import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { configFile } from '../../lab/layout.ts';
import { recordOf, TestLab } from '../harness/lab.ts';
import { sqlOn } from '../harness/sql.ts';

/**
 * A site whose components live on hosts of their own, each with its worker: every worker touches only its own. Its
 * database is one that is reached by its port only, and backed up by a dump.
 */

interface SiteYaml {
  database: { worker?: string };
  gateways: { name: string; worker?: string }[];
}

const apis = (site: 'primary' | 'dr'): Promise<unknown[]> =>
  sqlOn(lab.lab, site, `SELECT to_jsonb(t) - 'updated_at' AS row FROM tyk_apis t ORDER BY id`);

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.upAsReal('--database-method', 'dump');
  const path = configFile(lab.lab);
  const config = parse(await readFile(path, 'utf8')) as {
    deployments: { acme: { sites: Record<'primary' | 'dr', SiteYaml> } };
  };
  for (const site of ['primary', 'dr'] as const) {
    const { database, gateways } = config.deployments.acme.sites[site];
    database.worker = `${site}-db`;
    gateways[1]!.worker = `${site}-gw2`;
  }
  await writeFile(path, stringify(config));
  for (const site of ['primary', 'dr'] as const) {
    await lab.restartWorker(site);
    for (const worker of [`${site}-db`, `${site}-gw2`]) await lab.startWorker(worker);
  }
});
afterAll(() => lab.down());

test('each host backs up, fences, restores and starts what it serves, and all of it recovers', async () => {
  // The database's worker has every part of the set, and starts a Dashboard and a Gateway of its own on it.
  const made = await lab.run('backup', 'acme');
  expect(made.exitCode, made.stderr).toBe(0);
  expect(made.stderr).toMatch(
    /every API and policy that \d+ keys name is there, a Dashboard listed \d+ APIs, a Gateway loaded \d+ and served \/\S+ 200/,
  );
  const rows = await apis('primary');
  await lab.destroyPrimary();
  const before = await lab.starts();
  const answer = await lab.recover('--json');
  expect(answer.exitCode, answer.stdout.slice(-3_000) + answer.stderr).toBe(0);
  const record = recordOf(answer);
  const queueOf = (step: string): string | undefined => record.steps.find((row) => row.id === step)?.queue;
  expect(queueOf('restore-database-data')).toBe('tyk-dr.dr-db');
  expect(queueOf('fence-source')).toBe('tyk-dr.primary, tyk-dr.primary-db, tyk-dr.primary-gw2');
  expect(queueOf('start-gateways')).toBe('tyk-dr.dr, tyk-dr.dr-gw2');
  const after = await lab.starts();
  expect(await apis('dr')).toEqual(rows);
  const restored = record.proofs.filter(({ step }) => step === 'restore-database-data');
  expect(restored.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual([
    'row counts of every table pass',
    'schema digest pass',
  ]);
  for (const service of ['dr-redis', 'dr-postgres', 'dr-dashboard', 'dr-gw1', 'dr-gw2', 'dr-pump'])
    expect((after[service] ?? 0) - (before[service] ?? 0), service).toBe(1);
  const loaded = record.proofs.filter(({ step, name }) => step === 'prove-gateways' && name.includes('APIs'));
  expect(loaded.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual([
    'gw1: loaded APIs pass',
    'gw2: loaded APIs pass',
  ]);
});
