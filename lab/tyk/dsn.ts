import { Secret } from '../../domain/secret.ts';

/** Where a Dashboard or Pump finds its database; fits adapters/postgres/client.ts. */
export interface Dsn {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
  readonly database: string;
}

const DEFAULT_PORT = 5432;

/** `name = value`; the value is bare or in single quotes, and a backslash escapes in both. */
const PAIR = /\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)\s*/sy;

/**
 * Reads a libpq connection string of keywords and values, as `connection_string` of Tyk's files holds it. The last
 * of a repeated keyword counts; keywords of no use here (`sslmode`) are left out.
 *
 * @throws Error where the text has another form or the port is none. The message holds nothing of the text: a
 *   password may be anywhere in it.
 */
export function parseDsn(text: string): Dsn {
  const settings = new Map<string, string>();
  PAIR.lastIndex = 0;
  let at = 0;
  while (text.slice(at).trim() !== '') {
    const pair = PAIR.exec(text);
    if (!pair) throw new Error(`the connection string is malformed at character ${at + 1}`);
    settings.set(pair[1]!, (pair[2] ?? pair[3] ?? '').replace(/\\(.)/gs, '$1'));
    at = PAIR.lastIndex;
  }
  const port = Number(settings.get('port') || DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error('the port of the connection string is no port');
  }
  const user = settings.get('user') || 'postgres';
  return {
    host: settings.get('host') || '127.0.0.1',
    port,
    user,
    password: new Secret(settings.get('password') ?? ''),
    database: settings.get('dbname') || user,
  };
}
