import { withClient as withRedis } from '../../../adapters/redis/client.ts';
import { redisPosition } from '../../../adapters/redis/replica.ts';
import { serverStates } from '../../../adapters/haproxy/runtime.ts';
import { redisOf } from '../../../lab/connections.ts';
import { haproxySocket } from '../../../lab/haproxy.ts';
import type { SiteName } from '../../../lab/layout.ts';
import type { TestLab } from '../../harness/lab.ts';
import { sqlOn } from '../../harness/sql.ts';

/** What the servers themselves say of their roles. */

export interface StoresSeen {
  readonly timeline: number;
  /** Of PostgreSQL: `name` and whether somebody reads it. */
  readonly slots: readonly string[];
  readonly synchronous: string;
  /** Of each standby that streams: its name and whether commits wait for it. */
  readonly standbys: readonly string[];
  readonly readOnly: string;
  readonly redis: string;
}

/** Of a site that is written to. */
export async function readStores({ lab }: TestLab, site: SiteName): Promise<StoresSeen> {
  const [row] = await sqlOn<Omit<StoresSeen, 'redis'>>(
    lab,
    site,
    `SELECT ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int AS timeline,
            ARRAY(SELECT slot_name || CASE WHEN active THEN ' read' ELSE '' END FROM pg_replication_slots ORDER BY 1) AS slots,
            ARRAY(SELECT application_name || ' ' || sync_state FROM pg_stat_replication ORDER BY 1) AS standbys,
            current_setting('synchronous_standby_names') AS synchronous,
            current_setting('default_transaction_read_only') AS "readOnly"`,
  );
  const { role } = await withRedis(await redisOf(lab, site), redisPosition);
  return { ...row!, redis: role };
}

/** Servers that HAProxy sends clients to. */
export async function serversIn({ lab }: TestLab): Promise<string[]> {
  const states = await serverStates(haproxySocket(lab), 'gateways');
  return states.filter(({ admin }) => admin === 'ready').map(({ name }) => name);
}
