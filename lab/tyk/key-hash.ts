import { createHash, randomBytes } from 'node:crypto';
import { murmur128, murmur32Unfinished } from './murmur3.ts';

/** The algorithms that a Gateway's `hash_key_function` knows. */
export type KeyHashFunction = 'murmur32' | 'murmur64' | 'murmur128' | 'sha256';

interface TokenParts {
  readonly org: string;
  readonly id: string;
  readonly h: string;
}

/**
 * Makes the key that a consumer sends, as a Gateway does: with a hash function the key is base64 JSON that
 * names its organisation, id and hash function; without one it is the organisation followed by the id.
 *
 * @param id what makes the key unique; 32 random hexadecimal digits unless given.
 */
export function makeToken(
  orgId: string,
  id: string = randomBytes(16).toString('hex'),
  hashFunction: KeyHashFunction | '' = 'murmur64',
): string {
  if (hashFunction === '') return orgId + id;
  return Buffer.from(`{"org":"${orgId}","id":"${id}","h":"${hashFunction}"}`).toString('base64');
}

/**
 * The part of `apikey-<hash>` that a Gateway with `hash_keys` looks for. The hash function comes from inside the
 * key, never from the Gateway's configuration; a key that names none is hashed with murmur32.
 */
export function keyHash(token: string, hashFunction?: KeyHashFunction): string {
  const bytes = Buffer.from(token, 'utf8');
  switch (hashFunction ?? parseToken(token)?.h) {
    case 'sha256':
      return createHash('sha256').update(bytes).digest('hex');
    case 'murmur64':
      return murmur128(bytes).slice(0, 16);
    case 'murmur128':
      return murmur128(bytes);
    default:
      return murmur32Unfinished(bytes);
  }
}

/** The organisation that a key names: from its JSON, or the 24 hexadecimal digits that it starts with. */
export function tokenOrg(token: string): string {
  const parts = parseToken(token);
  if (parts) return parts.org;
  return /^[0-9a-f]{24}./i.test(token) ? token.slice(0, 24) : '';
}

function parseToken(token: string): TokenParts | undefined {
  if (!token.startsWith('ey')) return undefined;
  try {
    const parsed = JSON.parse(Buffer.from(token, 'base64').toString('utf8')) as Partial<TokenParts>;
    return { org: parsed.org ?? '', id: parsed.id ?? '', h: parsed.h ?? '' };
  } catch {
    return undefined;
  }
}
