import { readdir, readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withClient as withRedis } from '../../adapters/redis/client.ts';
import type { RunRecord } from '../../domain/run.ts';
import { deleteApis, killService } from '../../lab/break.ts';
import { keyFile, localUrl, outside, siteDir, type SiteName } from '../../lab/layout.ts';
import { serviceScript, stop } from '../../lab/services.ts';
import { recordOf, TestLab } from '../harness/lab.ts';
import { sqlOn } from '../harness/sql.ts';
import { redisOf } from '../../lab/connections.ts';

/** Recoveries as a commander runs them, on real parts. */

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up();
  await lab.expect('backup', 'acme');
});
afterAll(() => lab.down());

const sql = <T>(site: SiteName, text: string): Promise<T[]> => sqlOn<T>(lab.lab, site, text);

/** As PostgreSQL writes a count: text. */
async function apiCount(site: SiteName): Promise<string> {
  const [row] = await sql<{ count: string }>(site, 'SELECT count(*) FROM tyk_apis');
  return row!.count;
}

async function redisKeys(site: SiteName): Promise<number> {
  return withRedis(await redisOf(lab.lab, site), (client) => client.dbsize());
}

async function client(path: string, key?: string): Promise<number> {
  const headers: Record<string, string> =
    key === undefined ? {} : { Authorization: (await readFile(keyFile(lab.lab, key), 'utf8')).trim() };
  return (await fetch(`${localUrl(lab.lab.ports.traffic)}${path}`, { headers })).status;
}

test('the set is in git under its tag, each API as a file, with no secret of the site in any object', async () => {
  const git = async (...args: string[]): Promise<string> =>
    (await execa('git', ['--git-dir', outside(lab.lab, 'config.git'), ...args])).stdout;
  const [tag] = (await git('tag')).split('\n');
  expect(tag).toMatch(/^set\//);
  const apis = (await git('ls-tree', '--name-only', `${tag}:acme/apis`)).split('\n');
  expect(String(apis.length)).toBe(await apiCount('primary'));
  const objects = await git('cat-file', '--batch', '--batch-all-objects');
  expect(objects).toContain('tyk_analytics.conf');
  expect(objects).toContain('host all all 127.0.0.1/32 scram-sha-256');
  for (const name of await readdir(keyFile(lab.lab, ''))) {
    const lines = (await readFile(keyFile(lab.lab, name), 'utf8')).split('\n');
    for (const line of lines.filter((text) => text.length >= 12 && !/^(#|-----)/.test(text)))
      for (const form of [line, Buffer.from(line).toString('base64')])
        expect(objects.includes(form), `${name} is in git`).toBe(false);
  }
});

describe('a component, in place on the same site', () => {
  test.each(['redis', 'dashboard', 'gateway'] as const)(
    '%s is recovered while the others run on',
    async (component) => {
      const before = await lab.starts();
      const answer = await lab.run(
        'recover',
        'acme',
        '--to',
        'primary',
        '--component',
        component,
        '--yes',
        '--reason',
        'a test',
        '--json',
      );
      expect(answer.exitCode, answer.stdout.slice(-3000) + answer.stderr).toBe(0);
      const after = await lab.starts();
      const restarted = Object.keys(after).filter((name) => after[name] !== before[name]);
      const own = {
        redis: ['primary-redis'],
        dashboard: ['primary-dashboard'],
        gateway: ['primary-gw1', 'primary-gw2'],
      };
      expect(restarted.sort()).toEqual(own[component]);
      await expect.poll(() => client('/api-1/', 'probe-good'), { timeout: 15_000 }).toBe(200);
    },
  );

  test('the database goes back to a moment between two changes since the backup', async () => {
    await sql('primary', `UPDATE tyk_organisations SET owner_name = 'renamed since the backup'`);
    const before = await apiCount('primary');
    const moment = new Date().toISOString();
    await deleteApis(lab.lab, 'primary');
    await sql('primary', `UPDATE tyk_organisations SET owner_name = 'written after the moment'`);
    const answer = await lab.run(
      ...['recover', 'acme', '--to', 'primary', '--component', 'database', '--yes', '--json'],
      ...['--to-time', moment, '--reason', 'APIs were deleted'],
    );
    expect(answer.exitCode, answer.stdout.slice(-3000) + answer.stderr).toBe(0);
    expect(await apiCount('primary')).toBe(before);
    // And the report proves either half.
    const { proofs } = recordOf(answer);
    const proven = (name: string) => proofs.find((proof) => proof.name === name);
    expect(proven('APIs as of that moment')).toMatchObject({ verdict: 'pass', actual: before });
    const later = proven('no change later than the moment is in it')!;
    expect(later).toMatchObject({ verdict: 'pass', expected: `at or before ${moment}` });
    expect(Date.parse(later.actual)).toBeLessThanOrEqual(Date.parse(moment));
    expect(await sql('primary', 'SELECT DISTINCT owner_name FROM tyk_organisations')).toEqual([
      { owner_name: 'renamed since the backup' },
    ]);
  });

  test('the database goes back to just before somebody deleted half of the APIs', async () => {
    const before = await apiCount('primary');
    const occurred = new Date().toISOString();
    await deleteApis(lab.lab, 'primary');
    const answer = await lab.run(
      'recover',
      'acme',
      '--to',
      'primary',
      '--component',
      'database',
      '--yes',
      '--scenario',
      'human-error',
      '--occurred',
      occurred,
      '--reason',
      'APIs were deleted',
      '--json',
    );
    expect(answer.exitCode, answer.stdout.slice(-3000) + answer.stderr).toBe(0);
    const after = await apiCount('primary');
    expect(after).toBe(before);
    await expect.poll(() => client('/api-1/', 'probe-good'), { timeout: 15_000 }).toBe(200);
  });
});

describe('a whole site', () => {
  test('that is lost with its host needs a person’s word that it cannot write, and says so for ever', async () => {
    await lab.expect('backup', 'acme', '--site', 'primary');
    const keys = await redisKeys('primary');
    const rows = await apiCount('primary');
    await killService(lab.lab, 'worker-primary');
    await lab.destroyPrimary();
    const recovering = lab.recover('--json');
    await expect
      .poll(async () => (await lab.run('status', 'acme')).stdout, { timeout: 60_000, interval: 500 })
      .toContain('no worker answers on tyk-dr.primary');
    const second = await lab.recover();
    expect(second.exitCode).toBe(11);
    expect(second.stderr).toContain('is already running: rec-');
    expect((await lab.run('confirm', 'acme', '--reason', 'the rack has no power')).exitCode).toBe(0);
    const answer = await recovering;
    expect(answer.exitCode, answer.stdout.slice(-3000) + answer.stderr).toBe(3);
    const record = recordOf(answer);
    expect(record.outcome).toBe('RECOVERED_WITH_EXCEPTIONS');
    expect(record.exceptions.join()).toContain('the rack has no power');
    // Judged all the same, by what had been fixed before: only the word of a person stands in the way.
    const judged = Object.fromEntries(record.criteria!.map(({ id, verdict }) => [id, verdict]));
    expect(judged).toMatchObject({ 'recovery-time': 'pass', 'data-loss': 'pass', security: 'pass' });
    expect(Object.keys(record.performance!).sort()).toEqual(['after', 'before', 'during']);
    expect(record.performance!.during!.availabilityPercent).toBeLessThan(100);
    expect(record.proofs.some(({ name }) => name.startsWith('revoked keys stay refused: gw2'))).toBe(true);
    // Each server has its own; that of the lost site is offered beside it.
    const offered = record.steps.find(({ id }) => id === 'place-server-config')?.summary;
    expect(offered).toMatch(/redis\.conf differs in .*\bport\b.*postgresql\.conf differs in .*\bport\b/s);
    const etc = await readdir(siteDir(lab.lab, 'dr', 'postgres', 'etc'));
    expect(etc).toContain('postgresql.conf.from-backup');
    expect(await redisKeys('dr')).toBeGreaterThanOrEqual(keys - 300);
    expect(await apiCount('dr')).toBe(rows);
    expect(await client('/api-0/')).toBe(200);
    expect(await client('/api-1/', 'probe-good')).toBe(200);
    expect(await client('/api-1/', 'probe-wrong')).toBe(403);
  });

  test('that came back fenced cannot start, and its archive is not the new one’s', async () => {
    expect((await lab.run('status', 'acme')).stdout).toContain('fence of primary: NOT SET');
    await lab.restartWorker('primary');
    await expect
      .poll(async () => (await lab.run('status', 'acme')).stdout, { timeout: 60_000, interval: 500 })
      .toContain('fence of primary: set by its worker primary');
    const start = await execa(serviceScript(lab.lab), ['primary-redis', 'start'], { reject: false });
    expect(start.stderr).toMatch(/primary-redis is fenced: run rec-/);
    const { stdout } = await execa('find', [
      `${lab.lab.dir}/outside/pgbackrest`,
      '-mindepth',
      '1',
      '-maxdepth',
      '1',
      '-printf',
      '%f\n',
    ]);
    expect(stdout.split('\n').sort()[0]).toMatch(/^dr-\d+$/);
    expect(stdout.split('\n')).toContain('primary-1');
  });

  test('leaves a report in every format, from Temporal and from the repository', async () => {
    const run = /rec-[0-9a-f-]+/.exec((await lab.run('status', 'acme')).stdout)![0];
    const text = await lab.expect('report', run);
    expect(text.split('\n')[0]).toBe(
      'RECOVERED_WITH_EXCEPTIONS: acme, the whole deployment, from primary to dr',
    );
    const json = JSON.parse(await lab.expect('report', run, '--format', 'json')) as RunRecord;
    expect(json.run).toBe(run);
    const html = await lab.expect('report', run, '--format', 'html');
    expect(html).toContain('<!doctype html>');
    expect(html).not.toMatch(/<script|https?:\/\/(?!127\.0\.0\.1)/);
    await stop(lab.lab, 'temporal');
    expect(JSON.parse(await lab.expect('report', run, '--format', 'json'))).toMatchObject({
      run,
      outcome: 'RECOVERED_WITH_EXCEPTIONS',
    });
  });
});
