import type { Step } from '../domain/step.ts';

/**
 * Make one backup set over all stores of a deployment, and prove it by restoring it. It changes nothing of the
 * deployment, so it does not take the lock: a recovery must never have to wait for a backup.
 */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

type BackupStep<Id extends string> = Omit<Step<Id>, 'phase' | 'where'>;

export const BACKUP_STEPS = [
  {
    id: 'find-live-site',
    after: [],
    risk: 'probe',
    purpose: 'Find the site that serves: its stores are the truth.',
    proof: 'exactly one site runs its stores and is not fenced',
    limitMs: MINUTE_MS,
  },
  {
    id: 'find-parent-set',
    after: ['find-live-site'],
    risk: 'probe',
    purpose: 'For a snapshot: find the newest set of the site, which it will be used with.',
    proof: 'that set is complete and signed; the snapshot names the bytes of its manifest',
    limitMs: MINUTE_MS,
  },
  {
    id: 'back-up-database',
    after: ['find-live-site'],
    risk: 'probe',
    purpose: 'Physical backup into the encrypted pgBackRest repository, up to a named restore point.',
    proof: 'every file and every WAL segment that the backup needs is in the repository, with its SHA-256',
    limitMs: 6 * HOUR_MS,
  },
  {
    id: 'back-up-redis',
    after: ['find-live-site'],
    risk: 'probe',
    purpose: 'Stream an RDB without stalling clients, and count it in a scratch instance.',
    proof: 'keys, expiries and sampled digests of this very RDB',
    limitMs: HOUR_MS,
  },
  {
    id: 'back-up-config',
    after: ['find-live-site'],
    risk: 'probe',
    purpose: 'Configuration, certificates, middleware, plugins and portal content of every component.',
    proof: 'one sealed archive for each component',
    limitMs: 30 * MINUTE_MS,
  },
  {
    id: 'seal-set',
    after: ['back-up-database', 'back-up-redis', 'back-up-config'],
    risk: 'probe',
    purpose: 'Sign the manifest and write it last: without it there is no backup.',
    proof: 'the signature verifies and every object has its digest',
    limitMs: 10 * MINUTE_MS,
  },
  {
    id: 'verify-set',
    after: ['seal-set'],
    risk: 'probe',
    purpose: 'Restore the set into scratch instances, compare, and sign what was found.',
    proof: 'row counts, schema, keys and values as recovered',
    limitMs: 6 * HOUR_MS,
  },
  {
    id: 'copy-set',
    after: ['seal-set'],
    risk: 'probe',
    purpose: 'Bring the set to every off-site copy, the manifest last; send only what is not there yet.',
    proof: 'every file at the copy has the hash of the one that the signed manifest names',
    limitMs: 12 * HOUR_MS,
  },
  {
    id: 'rewrap-set',
    after: [],
    risk: 'probe',
    purpose: 'Seal the content of a set anew for the recipients of today; the old set stays.',
    proof: 'each object opens again with one of our identities, to the digest that the old manifest names',
    limitMs: 6 * HOUR_MS,
  },
  {
    id: 'ship-wal',
    after: [],
    risk: 'probe',
    purpose: 'Ship new WAL to every off-site copy, behind the newest set that it holds.',
    proof: 'every new file at the copy has the hash of the one that was read here',
    limitMs: HOUR_MS,
  },
  {
    id: 'commit-config',
    after: ['verify-set'],
    risk: 'probe',
    purpose: 'Keep configuration and definitions in git, without their secrets; tag a verified set.',
    proof: 'the commit is in the repository; where git fails, the set stays sound and the run says so',
    limitMs: 15 * MINUTE_MS,
  },
  {
    id: 'export-runbook',
    after: ['verify-set'],
    risk: 'probe',
    purpose:
      'Keep the runbook for a lost Temporal fresh beside the sets and at their copies: page and scripts.',
    proof:
      'a signed list holds the SHA-256 of each file; where it fails, the set stays sound and the run says so',
    limitMs: 15 * MINUTE_MS,
  },
  {
    id: 'bring-files',
    after: ['seal-set'],
    risk: 'mutate',
    purpose:
      'Where a standby follows: bring it the configuration of the set, rewritten to its own addresses.',
    proof:
      'what lies there has the digest of what the set holds; nothing is done where it had it before, or a run has the lock',
    limitMs: 15 * MINUTE_MS,
  },
  {
    id: 'test-keys',
    after: [],
    risk: 'probe',
    purpose: 'Decrypt a real object of the repository and of every copy with each configured identity.',
    proof: 'each opens, to its last byte, with the digest of the signed manifest',
    limitMs: 30 * MINUTE_MS,
  },
  {
    id: 'prune-sets',
    after: [],
    risk: 'mutate',
    purpose: 'Delete the sets that the rules under backup.keep let go; the manifest first.',
    proof: 'no held set, no parent of a kept one and none of the newest verified is gone',
    limitMs: HOUR_MS,
  },
  {
    id: 'ship-redis-aof',
    after: [],
    risk: 'probe',
    purpose: 'Ship what the append-only log of Redis has grown by: a point newer than the last RDB.',
    proof: 'each piece follows the one before it, in a signed list',
    limitMs: HOUR_MS,
  },
] as const satisfies readonly BackupStep<string>[];

export type BackupStepId = (typeof BACKUP_STEPS)[number]['id'];
