import { mkdir, rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyDigest } from '../../adapters/beacon/audit.ts';
import { loadConfig } from '../../adapters/config/load.ts';
import { readStandbyMark } from '../../adapters/host/standby-mark.ts';
import { withClient as withRedis } from '../../adapters/redis/client.ts';
import type { DeploymentStatus } from '../../cli/backup-status.ts';
import { clusterOf } from '../../domain/cluster.ts';
import type { Finding } from '../../domain/doctor.ts';
import type { RunRecord } from '../../domain/run.ts';
import { heal, killSite, partition } from '../../lab/break.ts';
import { compareJournal, type Store } from '../../lab/clients/journal.ts';
import { redisOf } from '../../lab/connections.ts';
import { configFile, siteDir, type SiteName } from '../../lab/layout.ts';
import { jsonLines, recordOf, TestLab, type Answer } from '../harness/lab.ts';
import { sqlOn } from '../harness/sql.ts';
import { Writer } from '../harness/writer.ts';

/** A standby that is made, takes over, and gives back, while a client writes into the stores and others are served. */

let lab: TestLab;
let writer: Writer;

beforeAll(async () => {
  lab = await TestLab.up('--strategy', 'pilot-light');
  writer = new Writer(lab.lab);
  await lab.expect('backup', 'acme', '--no-verify');
  await writer.start('primary');
  await writer.acknowledged('postgres', 20);
});
afterAll(async () => {
  await writer?.kill();
  await lab?.down();
});

const asked = (...args: string[]): Promise<Answer> =>
  lab.run(...args, '--reason', 'a test', '--on-failure', 'abort', '--json');

/** Every run of a chain that has ended, last one last. */
function records(answer: Answer): RunRecord[] {
  const ended = jsonLines(answer).filter(({ type }) => type === 'result') as unknown as RunRecord[];
  if (ended.length === 0) throw new Error(`no result: ${answer.stdout}\n${answer.stderr}`);
  return ended;
}

async function lost(site: SiteName): Promise<Record<Store, number>> {
  const of = async (store: Store, found: readonly number[]): Promise<number> =>
    compareJournal(await writer.journal(store), found).lost;
  return {
    postgres: await of('postgres', await writer.rows(site)),
    redis: await of('redis', (await writer.keys(site)).numbers),
  };
}

/** Taken by the site after its standby has lost sight of it: an API, a changed policy and a key. */
async function writeBehindTheStandby(site: SiteName, standby: SiteName): Promise<void> {
  await sqlOn(lab.lab, site, 'ALTER ROLE tyk_dr_replication NOLOGIN');
  await sqlOn(lab.lab, site, 'SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
  await withRedis(await redisOf(lab.lab, standby), async (client) => {
    await client.config('SET', 'masterauth', 'another');
    await client.call('CLIENT', 'KILL', 'TYPE', 'master');
  });
  await sqlOn(
    lab.lab,
    site,
    `INSERT INTO tyk_apis (id, api_id, org_id, name, listen_path, active, api_definition)
     SELECT 'only-there', 'only-there', org_id, 'Made too late', '/too-late/', true, api_definition ||
            '{"id": "only-there", "api_id": "only-there", "name": "Made too late", "slug": "too-late"}'
       FROM tyk_apis LIMIT 1`,
  );
  await sqlOn(
    lab.lab,
    site,
    `UPDATE tyk_policies SET policy = policy || '{"rate": 17}' WHERE id = (SELECT min(id) FROM tyk_policies)`,
  );
  await withRedis(await redisOf(lab.lab, site), (client) => client.set('apikey-made-too-late', '{}'));
}

const clusterAt = async (site: SiteName): Promise<ReturnType<typeof clusterOf>> =>
  clusterOf((await loadConfig(configFile(lab.lab))).deployments['acme']!.sites[site]!);

const markOf = (site: SiteName) => readStandbyMark(siteDir(lab.lab, site, 'state'));

test('nobody fails over to a site that follows nobody: refused, and nothing was touched', async () => {
  const before = await lab.starts();
  const answer = await asked('failover', 'acme', '--to', 'dr', '--forced');
  expect(answer.exitCode, answer.stdout).toBe(10);
  expect(recordOf(answer).error).toMatchObject({ code: 'STANDBY_IS_ANOTHER' });
  expect(await lab.starts()).toEqual(before);
});

test('the site that serves is never made a standby: its data would be lost', async () => {
  const answer = await asked('replicate', 'acme', '--to', 'primary');
  expect(answer.exitCode, answer.stdout).toBe(10);
  expect(recordOf(answer).error!.message).toContain('does not serve');
});

describe('a standby', () => {
  test('is made beside the site that serves, level with it, and says so', async () => {
    const record = recordOf(await asked('replicate', 'acme', '--to', 'dr'));
    expect(record, JSON.stringify(record.exceptions)).toMatchObject({
      outcome: 'REPLICATED',
      runbook: 'replicate',
    });
    expect(record.replicas).toHaveLength(2);
    for (const each of record.replicas!)
      expect(each).toMatchObject({ site: 'dr', role: 'follows', streaming: true });
    expect(await markOf('dr')).toMatchObject({ of: 'primary' });
    // What runs there is no site that serves: a backup takes the other one.
    expect(await lab.expect('backup', 'acme', '--no-verify')).toContain('of primary');
    expect(await lab.expect('lab', '--dir', lab.lab.dir, 'status')).toMatch(/clients: 0 of [1-9]/);
  });

  test('is watched: how far it is behind, what would be lost, and whether its files are those of the other', async () => {
    const status = await lab.run('backup', 'status', 'acme', '--json');
    const [{ stores, replication }] = (JSON.parse(status.stdout) as { deployments: [DeploymentStatus] })
      .deployments;
    expect(replication, status.stdout + status.stderr).toBeDefined();
    expect(replication!.filter(({ severity }) => severity !== 'ok')).toEqual([]);
    expect(replication!.map(({ message }) => message).join('\n')).toMatch(
      /redis follows, .* behind, [\s\S]*database follows, [\s\S]*the slot for dr holds back /,
    );
    for (const { store, basis } of stores.filter(({ store: each }) => each !== 'config'))
      expect(basis, store).toMatch(/^standby dr: .* behind; from sets alone /);
    // The backup has brought them already.
    const brought = await lab.expect('replicate', 'acme', '--to', 'dr', '--files', '--reason', 'a test');
    expect(brought).toMatch(/^dr: dr has the files of \S+$/m);
    const doctor = await lab.run('doctor', 'acme', '--json');
    const [{ findings }] = (JSON.parse(doctor.stdout) as { deployments: [{ findings: Finding[] }] })
      .deployments;
    const told = findings.filter(({ id }) => id === 'replication' || id === 'drift');
    expect(told.filter(({ severity }) => severity !== 'ok')).toEqual([]);
    expect(told.map(({ message }) => message)).toContain(
      'configuration, files, certificates and versions are those of primary',
    );
  });

  test('takes over gracefully: nothing that was acknowledged is lost, and the old site follows', async () => {
    await writer.acknowledged('redis', 50);
    const [failover, back] = records(await asked('failover', 'acme', '--to', 'dr', '--graceful'));
    await writer.stop();
    expect(failover, JSON.stringify(failover!.exceptions)).toMatchObject({
      ...{ runbook: 'failover', mode: 'graceful' },
      outcome: expect.stringMatching(/^RECOVERED/) as string,
    });
    expect(await lost('dr')).toEqual({ postgres: 0, redis: 0 });
    for (const { lost: numbers, store } of failover!.losses!) expect(numbers, store).toBe(0);
    expect(back).toMatchObject({ outcome: 'REPLICATED', from: 'dr', to: 'primary' });
    expect(back!.earlier).toMatchObject([{ run: failover!.run }]);
    expect([await markOf('primary'), await markOf('dr')]).toMatchObject([{ of: 'dr' }, undefined]);
    // Redis says so whenever it follows after it was a master: no write got in before.
    for (const site of ['primary', 'dr']) {
      const log = await lab.readLog(`${site}-redis`);
      expect(log).toContain('MASTER <-> REPLICA sync');
      expect(log).not.toContain('Before turning into a replica');
    }
    // Whoever asks for APIs was served all the while.
    expect(failover!.witness!.failed).toBe(0);
  });

  test('takes over where the other site is gone, and measures what is lost as the writer counts it', async () => {
    await writer.start('dr');
    await writer.acknowledged('redis', 50);
    await writer.acknowledged('postgres', 50);
    await writeBehindTheStandby('dr', 'primary');
    await killSite(lab.lab, 'dr');
    const occurred = new Date().toISOString();
    const record = recordOf(
      await asked('failover', 'acme', '--to', 'primary', '--forced', '--occurred', occurred),
    );
    await writer.stop();
    expect(record.outcome, JSON.stringify(record.exceptions)).toMatch(/^RECOVERED/);
    const gone = await lost('primary');
    for (const [store, count] of Object.entries(gone)) {
      const own = record.losses!.find((each) => each.store === (store === 'redis' ? 'redis' : 'database'))!;
      // At a hundred a second.
      expect((own.maxMs! * 100) / 1000 + 100, store).toBeGreaterThanOrEqual(count);
    }
    expect(await lab.expect('lab', '--dir', lab.lab.dir, 'status')).toMatch(/clients: \d+ of [1-9]/);
  });

  test('gives back: the old site is wound back, takes over gracefully, and is followed', async () => {
    await writer.start('primary');
    await writer.acknowledged('redis', 20);
    const ended = records(await asked('failback', 'acme', '--to', 'dr'));
    await writer.stop();
    expect(ended.map(({ runbook, to }) => `${runbook} ${to}`)).toEqual([
      ...['replicate dr', 'failover dr', 'replicate primary'],
    ]);
    for (const { outcome, exceptions } of ended)
      expect(outcome, JSON.stringify(exceptions)).toMatch(/^(RECOVERED|REPLICATED)/);
    // What only the old site had after it was given up stays beside, and somebody hears of it.
    expect(ended[0]!.exceptions.join()).toContain('keep-abandoned: dr was given up');
    const { items, kept } = ended[0]!.abandoned!;
    expect(kept).toHaveLength(2);
    expect(items).toContainEqual({
      ...{ store: 'database', kind: 'API', change: 'only there' },
      name: 'only-there (Made too late)',
    });
    expect(items).toContainEqual({
      ...{ store: 'redis', kind: 'key', change: 'only there', name: keyDigest('made-too-late') },
    });
    expect(items.filter(({ kind }) => kind === 'policy').map(({ change }) => change)).toEqual(['differs']);
    expect(JSON.stringify(ended)).not.toContain('made-too-late');
    const told = await lab.expect('report', ended[0]!.run);
    expect(told).toMatch(/WHAT ONLY THE OLD SITE HAD[\s\S]*API only-there \(Made too late\)/);
    expect(await lost('dr')).toEqual(await lost('primary'));
  });

  test('whose promotion fails is given up: the site goes on with all that it had, and can be followed again', async () => {
    const before = await lost('dr');
    await writer.start('dr');
    await writer.acknowledged('redis', 20);
    const { configFile: file } = (await clusterAt('primary')).pgbackrest;
    await rename(file, `${file}.away`);
    // It cannot be told to archive anew.
    await mkdir(file);
    const answer = await asked('failover', 'acme', '--to', 'primary', '--graceful');
    await rmdir(file);
    await rename(`${file}.away`, file);
    const record = recordOf(answer);
    // A person reads the message; where it happened is below it.
    const failed = record.steps.find(({ state }) => state === 'failed')!.error!;
    expect(failed, answer.stdout).toMatchObject({
      message: expect.stringMatching(/^unexpected: EISDIR.*$/) as string,
      output: expect.stringMatching(/^\s+at /) as string,
    });
    expect(record).toMatchObject({ outcome: 'FAILED_UNDONE' });
    await writer.acknowledged('redis', 20);
    await writer.acknowledged('postgres', 20);
    await writer.stop();
    expect(await lost('dr')).toEqual(before);
    expect(record.witness?.failed ?? 0).toBe(0);
    expect(recordOf(await asked('replicate', 'acme', '--to', 'primary'))).toMatchObject({
      outcome: 'REPLICATED',
    });
  });

  test('takes over for whoever has lost a site that is silent with its workers; its run is found by the deployment', async () => {
    await partition(lab.lab, 'dr');
    const failing = lab.run(
      ...['failover', '--all', '--from', 'dr', '--to', 'primary', '--forced', '--reason', 'dr is silent'],
    );
    const status = async (): Promise<string> => (await lab.run('status', 'acme')).stdout;
    await expect
      .poll(status, { timeout: 120_000, interval: 300 })
      .toMatch(/fence-source .*could not be fenced: .*(no worker answers|fell silent)/);
    await lab.expect('confirm', 'acme', '--reason', 'the carrier confirms the cut');
    const answer = await failing;
    expect(answer.exitCode, answer.stdout + answer.stderr).toBe(3);
    const record = JSON.parse((await lab.run('status', 'acme', '--json')).stdout) as RunRecord;
    expect(record).toMatchObject({ runbook: 'failover', mode: 'forced', from: 'dr', to: 'primary' });
    expect(record.outcome, JSON.stringify(record.exceptions)).toMatch(/^RECOVERED/);
    expect(record.exceptions.join()).toContain('the carrier confirms the cut');
    expect(await lab.expect('history', 'acme')).toContain(record.run);
    await heal(lab.lab, 'dr');
  });

  test('that is broken when it is needed: people are offered the backup, and it is recovered from it', async () => {
    expect(recordOf(await asked('replicate', 'acme', '--to', 'dr')).outcome).toMatch(/^REPLICATED/);
    await lab.expect('backup', 'acme', '--no-verify');
    const { dataDir } = await clusterAt('dr');
    await rename(join(dataDir, 'global', 'pg_control'), join(dataDir, 'pg_control.lost'));
    await killSite(lab.lab, 'dr');
    await killSite(lab.lab, 'primary');
    const failing = lab.run('failover', 'acme', '--to', 'dr', '--forced', '--reason', 'a test');
    const status = async (): Promise<string> => (await lab.run('status', 'acme')).stdout;
    await expect.poll(status, { timeout: 120_000, interval: 300 }).toContain('tyk-dr divert ');
    const told = await lab.expect('divert', 'acme', '--reason', 'its disk is gone');
    expect(told).toMatch(/^divert: rec-\S+ goes on: recover on dr from the backup$/m);
    const answer = await failing;
    expect(answer.exitCode, answer.stdout + answer.stderr).toBe(3);
    const record = JSON.parse((await lab.run('status', 'acme', '--json')).stdout) as RunRecord;
    expect(record).toMatchObject({ runbook: 'recover', to: 'dr', earlier: [{ outcome: 'ABORTED' }] });
    expect(record.outcome, JSON.stringify(record.exceptions)).toMatch(/^RECOVERED/);
  });
});
