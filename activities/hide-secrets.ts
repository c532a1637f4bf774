import { knownSecrets } from '../adapters/versioned/references.ts';
import { findSecrets, scrubber, type KnownSecret } from '../domain/scrub.ts';
import { redact, Secret } from '../domain/secret.ts';
import type { Deps } from './guard.ts';

/** What a tool wrote may hold any secret of its host: each goes before the text leaves the worker. */

export type Hide = (text: string) => string;

const HIDDEN = '[redacted]';

/** Secrets by their form or by the name before them alone. */
export const hideByForm: Hide = (text) => hideKnown([])(text);

/**
 * Besides those, every secret that the deployment's configuration names, as far as this host can read it, and every
 * one that this worker has ever used. A `command:` is not run for it: a vault that hangs must not hold up a failure.
 */
export async function hideSecretsOf(deps: Deps, deployment: string): Promise<Hide> {
  const used = deps.usedSecrets();
  const known = await knownSecrets(deps.deployment(deployment), '', async (reference) => {
    if (reference.startsWith('command:')) throw new Error('not run');
    return deps.secret(reference);
  });
  return hideKnown([...known, ...used.map((secret) => ({ name: 'used', value: secret.reveal() }))]);
}

function hideKnown(known: readonly KnownSecret[]): Hide {
  const secrets = known.map(({ value }) => new Secret(value));
  // Of a key that fills a file, each line tells much.
  const lines = known.flatMap(({ value }) => value.split('\n').filter((line) => line.length >= 16));
  return (text) => {
    const scrubbed = scrubber([...known, ...findSecrets(text)], () => HIDDEN)(text);
    return redact(scrubbed, [...secrets, ...lines.map((line) => new Secret(line))]);
  };
}
