import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { run } from '../adapters/process/run.ts';
import { keyFile, SITES, type Lab } from './layout.ts';

/** Passwords and keys of a lab, each in a file of its own (mode 0600), made once. */

const PASSWORDS = [
  ...SITES.map((site) => `${site}-redis-password`),
  'postgres-admin-password',
  'postgres-tyk-password',
  'postgres-replication-password',
  'pgbackrest-passphrase',
  'gateway-secret',
  'node-secret',
  'admin-secret',
  'certificate-secret',
];

export async function makeKeys(lab: Lab): Promise<void> {
  await mkdir(keyFile(lab, ''), { recursive: true, mode: 0o700 });
  for (const name of PASSWORDS) await keep(lab, name, () => randomBytes(18).toString('hex'));
  for (const name of ['age-operational', 'age-offline']) {
    await keep(lab, name, async () => (await run(['age-keygen'])).stdout);
  }
  await keep(lab, 'signing-key', () =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
}

export async function readKey(lab: Lab, name: string): Promise<string> {
  return (await readFile(keyFile(lab, name), 'utf8')).trim();
}

/** The public half of an age identity file, as age-keygen writes it. */
export async function ageRecipient(lab: Lab, name: string): Promise<string> {
  const recipient = /# public key: (age1\w+)/.exec(await readKey(lab, name))?.[1];
  if (recipient === undefined) throw new Error(`${name} is not an age identity`);
  return recipient;
}

async function keep(lab: Lab, name: string, make: () => string | Promise<string>): Promise<void> {
  try {
    await writeFile(keyFile(lab, name), `${await make()}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
