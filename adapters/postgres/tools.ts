import { requireWithinDrill } from '../host/isolation.ts';
import type { Secret } from '../../domain/secret.ts';
import type { Connection } from './client.ts';

/** How PostgreSQL's own client programs are told where to connect: by their environment, never by their arguments. */
export interface Libpq {
  /** For `--dbname`: as a connection string, so that no name of a database is taken for one. */
  readonly database: string;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly Secret[];
}

/** Where Debian, Ubuntu and Alpine keep them all: libpq before version 16 does not ask the system itself. */
const SYSTEM_AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

/** @throws DrError DRILL_TOUCHES_LIVE */
export function libpq({ host, port, user, database, password, tls }: Connection): Libpq {
  requireWithinDrill(host, port);
  return {
    database: `dbname='${database.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`,
    env: {
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGAPPNAME: 'tyk-dr',
      LC_ALL: 'C',
      ...(password ? { PGPASSWORD: password.reveal() } : {}),
      ...(tls ? { PGSSLMODE: 'verify-full', PGSSLROOTCERT: tls.caFile ?? SYSTEM_AUTHORITIES } : {}),
    },
    secrets: password ? [password] : [],
  };
}
