import { createHmac } from 'node:crypto';
import type { Deployment } from '../../domain/config.ts';
import type { KnownSecret, Refer } from '../../domain/scrub.ts';
import type { Secret, SecretRef } from '../../domain/secret.ts';

/** References to secrets, as they stand in the git repository in the place of values. */

type ResolveSecret = (reference: SecretRef) => Promise<Secret>;

/**
 * Every secret that the configuration of a deployment names, as far as this host can read it. Those of the given site
 * bear the names that they have at every site.
 */
export async function knownSecrets(
  deployment: Deployment,
  site: string,
  secret: ResolveSecret,
): Promise<KnownSecret[]> {
  const { [site]: own, ...others } = deployment.sites;
  const references = [...referencesIn(own), ...referencesIn({ ...deployment, sites: others })];
  const known = await Promise.all(
    references.map(async ({ name, reference }) => {
      const value = await secret(reference).catch(() => undefined);
      return value === undefined ? [] : [{ name, value: value.reveal() }];
    }),
  );
  return known.flat();
}

interface Named {
  readonly name: string;
  readonly reference: SecretRef;
}

function referencesIn(value: unknown, path: readonly string[] = []): Named[] {
  if (typeof value === 'string')
    return /^(env:|file:\/|command:)/.test(value)
      ? [{ name: path.join('.'), reference: value as SecretRef }]
      : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => referencesIn(item, [...path, key]));
}

/** Enough that two secrets never share one; under a key, so that nobody can try out what a weak secret may be. */
const FINGERPRINT_LETTERS = 10;

/**
 * References whose fingerprint shows that a secret has changed, and nothing else of it.
 *
 * @param key the key that signs manifests: who has it can read the secrets anyway
 * @param seen told each value by its fingerprint
 */
export function referrer(key: Secret, seen: (fingerprint: string, value: string) => void): Refer {
  return (name, value) => {
    const fingerprint = createHmac('sha256', `tyk-dr/reference\n${key.reveal()}`)
      .update(value)
      .digest('hex')
      .slice(0, FINGERPRINT_LETTERS);
    seen(fingerprint, value);
    return `\${tyk-dr:${name}#${fingerprint}}`;
  };
}
