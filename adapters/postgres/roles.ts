import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { Secret } from '../../domain/secret.ts';
import { queryValue, type Client } from './client.ts';
import { identifier } from './quote.ts';

/** The roles that a dump's owners and grants name: a dump does not bring them along. */

export interface Roles {
  /** Owners and grantees in the dump. */
  readonly needed: readonly string[];
  /** Who owned the database. */
  readonly owner: string;
  /** Whom the Dashboard connects as; made with its password where the server does not know it. */
  readonly user?: { readonly name: string; readonly password: Secret };
}

/**
 * Makes what is missing, without a right to log in, and changes nothing of what is there. Where the Dashboard's user
 * of this site has another name than the owner, it becomes a member of it, and so may do all that the owner may.
 */
export async function makeRoles(client: Client, { needed, owner, user }: Roles): Promise<void> {
  const names = new Set([...needed, owner]);
  if (user && !(await exists(client, user.name))) {
    const verifier = scramVerifier(user.password);
    await client.query(`CREATE ROLE ${identifier(user.name)} LOGIN PASSWORD '${verifier}'`);
  }
  for (const name of names)
    if (!(await exists(client, name))) await client.query(`CREATE ROLE ${identifier(name)} NOLOGIN`);
  if (user && user.name !== owner) await join(client, user.name, owner);
  // Who is no superuser gives away only what is its own, or its group's.
  if (await queryValue<boolean>(client, 'SELECT rolsuper FROM pg_roles WHERE rolname = current_user')) return;
  const self = await queryValue<string>(client, 'SELECT current_user');
  for (const name of names) await join(client, self, name);
}

async function exists(client: Client, name: string): Promise<boolean> {
  return queryValue(client, 'SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)', [name]);
}

async function join(client: Client, member: string, group: string): Promise<void> {
  if (await queryValue<boolean>(client, `SELECT pg_has_role($1, $2, 'USAGE')`, [member, group])) return;
  await client.query(`GRANT ${identifier(group)} TO ${identifier(member)}`);
}

const ITERATIONS = 4096;

/**
 * What PostgreSQL itself would keep of a password (RFC 5803): a statement that holds this instead of the password may
 * be logged. Of a password beyond ASCII, its NFKC form is what a client sends.
 */
export function scramVerifier(password: Secret, salt = randomBytes(16)): string {
  const salted = pbkdf2Sync(password.reveal().normalize('NFKC'), salt, ITERATIONS, 32, 'sha256');
  const keyed = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const storedKey = createHash('sha256').update(keyed(salted, 'Client Key')).digest('base64');
  const serverKey = keyed(salted, 'Server Key').toString('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
