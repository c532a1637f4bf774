import type { Secret } from './secret.ts';

/** Connection strings of MongoDB, as Tyk's configurations hold them. Pure. */

export interface MongoAddress {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly user?: string | undefined;
  readonly password?: Secret | undefined;
  readonly authSource?: string | undefined;
  readonly replicaSet?: string | undefined;
  readonly tls?: boolean | undefined;
}

/** A connection string for another server and user that keeps every other option of the old one. */
export function mongoUrl(old: unknown, to: MongoAddress): string {
  const options = new URLSearchParams(/\?(.*)$/s.exec(String(old ?? ''))?.[1] ?? '');
  // What belongs to the server and its users comes from the target or goes.
  for (const name of ['authSource', 'replicaSet', 'tls', 'ssl', 'directConnection']) options.delete(name);
  const { user, password, authSource, replicaSet } = to;
  if (user !== undefined && authSource !== undefined) options.set('authSource', authSource);
  if (replicaSet !== undefined) options.set('replicaSet', replicaSet);
  if (to.tls) options.set('tls', 'true');
  const who =
    user === undefined ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password?.reveal() ?? '')}@`;
  const rest = options.size > 0 ? `?${options.toString()}` : '';
  return `mongodb://${who}${to.host}:${to.port}/${encodeURIComponent(to.name)}${rest}`;
}
