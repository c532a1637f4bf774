import type { Secret } from '../../domain/secret.ts';
import type { Connection } from './client.ts';

/** How PostgreSQL's own client programs are told where to connect: by their environment, never by their arguments. */
export interface Libpq {
  /** For `--dbname`: as a connection string, so that no name of a database is taken for one. */
  readonly database: string;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly Secret[];
}

export function libpq({ host, port, user, database, password }: Connection): Libpq {
  return {
    database: `dbname='${database.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`,
    env: {
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGAPPNAME: 'tyk-dr',
      LC_ALL: 'C',
      ...(password ? { PGPASSWORD: password.reveal() } : {}),
    },
    secrets: password ? [password] : [],
  };
}
