import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withClient as withRedis } from '../../../adapters/redis/client.ts';
import { redisOf } from '../../../lab/connections.ts';
import { outside, siteDir, siteServices, type SiteName } from '../../../lab/layout.ts';
import { pidOf } from '../../../lab/services.ts';
import type { TestLab } from '../../harness/lab.ts';
import { countRestores } from '../../harness/postgres-scene.ts';
import { sqlOn } from '../../harness/sql.ts';

/** How often things really happened, by witnesses outside our bookkeeping: the lab's own and the tools' logs. */

export interface Witnesses {
  /** Process starts, from the service script's log. */
  readonly starts: Readonly<Record<string, number>>;
  /** By server: how often HAProxy let traffic in, and kept it out. From its log. */
  readonly switches: Readonly<Record<string, number>>;
  /** From pgBackRest's own logs on the target. */
  readonly restores: number;
  /** Backups that lie in the repository of the recovered site's generation. */
  readonly backups: number;
  /** Calls of the command that makes the hosts ready, which it counts itself. */
  readonly provisions: number;
  readonly records: number;
}

export async function readWitnesses(lab: TestLab): Promise<Witnesses> {
  const [starts, switches, restores, backups, provisions, records] = await Promise.all([
    lab.starts(),
    readSwitches(lab),
    countRestores(siteDir(lab.lab, 'dr', 'postgres', 'log')),
    countBackups(lab),
    countLines(provisionLog(lab)),
    countRecords(lab),
  ]);
  return { starts, switches, restores, backups, provisions, records };
}

export const provisionLog = (lab: TestLab): string => join(lab.lab.dir, 'provisions.log');

/** What has come since; counts that did not change are left out. */
export function since(before: Witnesses, after: Witnesses): Witnesses {
  return {
    starts: more(before.starts, after.starts),
    switches: more(before.switches, after.switches),
    restores: after.restores - before.restores,
    backups: after.backups - before.backups,
    provisions: after.provisions - before.provisions,
    records: after.records - before.records,
  };
}

function more(then: Witnesses['starts'], now: Witnesses['starts']): Record<string, number> {
  return Object.fromEntries(
    Object.entries(now)
      .map(([name, count]) => [name, count - (then[name] ?? 0)] as const)
      .filter(([, count]) => count !== 0),
  );
}

async function readSwitches(lab: TestLab): Promise<Record<string, number>> {
  const switches: Record<string, number> = {};
  const changes =
    /^Server gateways\/(\S+) (is UP\/READY \(leaving|is going DOWN for|was DOWN and now enters) /gm;
  for (const [, server, way] of (await lab.readLog('haproxy')).matchAll(changes)) {
    const change = `${server} ${way!.startsWith('is UP') ? 'in' : 'out'}`;
    switches[change] = (switches[change] ?? 0) + 1;
  }
  return switches;
}

async function countBackups(lab: TestLab): Promise<number> {
  let count = 0;
  const repositories = outside(lab.lab, 'pgbackrest');
  for (const generation of await readdir(repositories).catch(() => [] as string[])) {
    if (!generation.startsWith('dr-')) continue;
    const found = await readdir(join(repositories, generation, 'backup', lab.lab.deployment)).catch(
      () => [] as string[],
    );
    count += found.filter((name) => /^\d{8}-\d{6}F/.test(name)).length;
  }
  return count;
}

async function countRecords(lab: TestLab): Promise<number> {
  const entries = await readdir(outside(lab.lab, 'sets'), { recursive: true }).catch(() => [] as string[]);
  return entries.filter((name) => /(^|\/)runs\/[^/.]+\.json$/.test(name)).length;
}

async function countLines(file: string): Promise<number> {
  return (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean).length;
}

/** Services of a site that run. */
export async function running(lab: TestLab, site: SiteName): Promise<string[]> {
  const names = siteServices(lab.lab).map((service) => `${site}-${service}`);
  const pids = await Promise.all(names.map((name) => pidOf(lab.lab, name)));
  return names.filter((_, index) => pids[index] !== undefined);
}

/** What a site holds: the same text for the same data. */
export async function digestOfData(lab: TestLab, site: SiteName): Promise<string> {
  const digest = (table: string): string =>
    `(SELECT md5(string_agg((to_jsonb(t) - 'updated_at')::text, ',' ORDER BY (to_jsonb(t) - 'updated_at')::text)) FROM ${table} t)`;
  const [row] = await sqlOn<Record<string, string>>(
    lab.lab,
    site,
    `SELECT ${digest('tyk_apis')} AS apis, ${digest('tyk_policies')} AS policies,
       (SELECT string_agg(n::text, ',' ORDER BY n) FROM crash_journal) AS journal`,
  );
  const keys = await withRedis(await redisOf(lab.lab, site), async (client) => client.keys('apikey-*'));
  return JSON.stringify({ ...row, keys: keys.length, names: keys.sort().slice(0, 50) });
}
