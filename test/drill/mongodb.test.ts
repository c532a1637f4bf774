import { afterAll, beforeAll, expect, test } from 'vitest';
import { deleteApis } from '../../lab/break.ts';
import type { SiteName } from '../../lab/layout.ts';
import { withMongo } from '../../lab/mongodb.ts';
import { recordOf, TestLab } from '../harness/lab.ts';
import { contentOf } from '../harness/mongodb.ts';

/** A whole deployment that keeps its data in MongoDB: backed up, harmed by a person, lost, recovered elsewhere. */

let lab: TestLab;
/** What the Dashboard serves from, byte for byte. */
let control: Record<string, string[]>;

beforeAll(async () => {
  lab = await TestLab.up('--database', 'mongodb');
  control = await controlOf('primary');
  await lab.expect('backup', 'acme');
});
afterAll(() => lab?.down());

async function controlOf(site: SiteName): Promise<Record<string, string[]>> {
  const all = await withMongo(lab.lab, site, contentOf);
  // Analytics and what is made of them go on growing, and so do the numbers of the beacon.
  return Object.fromEntries(
    Object.entries(all).filter(
      ([name]) => !name.startsWith('tyk_analytics_a') && !['tyk_analytics', 'tyk_dr_beacon'].includes(name),
    ),
  );
}

test('somebody deletes APIs: the database goes back to the newest set from before', async () => {
  const occurred = new Date().toISOString();
  expect(await deleteApis(lab.lab, 'primary')).toBe(20);
  const answer = await lab.run(
    ...['recover', 'acme', '--to', 'primary', '--component', 'database', '--yes', '--json'],
    ...['--scenario', 'human-error', '--occurred', occurred, '--reason', 'APIs were deleted'],
  );
  expect(answer.exitCode, answer.stdout.slice(-3000) + answer.stderr).toBe(0);
  expect(await controlOf('primary')).toEqual(control);
});

test('the site is lost: the other one has every document, index and API, and serves', async () => {
  await lab.destroyPrimary();
  const answer = await lab.recover('--on-failure', 'abort', '--json');
  expect(answer.exitCode, answer.stdout.slice(-3000) + answer.stderr).toBe(0);
  const record = recordOf(answer);
  expect(record.outcome).toBe('RECOVERED');
  const proven = record.proofs.filter(({ verdict }) => verdict === 'pass').map(({ name }) => name);
  expect(proven).toEqual(
    expect.arrayContaining([
      'documents read back, byte for byte (all but raw analytics)',
      'indexes as they were backed up',
      'documents of tyk_apis',
      'pump: pump.conf names only the target',
      'marked requests arrive in the analytics store',
    ]),
  );
  expect(record.proofs).toContainEqual(
    expect.objectContaining({ name: 'all collections of one moment', verdict: 'not-measured' }),
  );
  expect(await controlOf('dr')).toEqual(control);
});
