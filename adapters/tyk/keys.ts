import { jsonOf } from '../../domain/json.ts';
import { Secret } from '../../domain/secret.ts';
import { call, json, type Answer } from './http.ts';

/** Keys by a Gateway's control API: made, and deleted again. */

export interface MadeKey {
  readonly key: Secret;
  /** Redis holds its hash, not the key itself. */
  readonly hashed: boolean;
}

export interface KeyRequest {
  readonly organisation: string;
  readonly api: { readonly id: string; readonly name: string };
  readonly alias: string;
  /** Unix seconds: by then it is no key any more, whatever becomes of us. 0: never. */
  readonly expires: number;
}

/** @returns the key, or why there is none */
export async function makeKey(url: string, secret: Secret, request: KeyRequest): Promise<MadeKey | string> {
  const answer = await postKey(url, secret, 'create', request);
  const body = json(answer) as { key?: unknown; key_hash?: unknown } | undefined;
  if (answer.status !== 200 || typeof body?.key !== 'string') return refusalOf(answer);
  return {
    key: new Secret(body.key),
    hashed: typeof body.key_hash === 'string' && body.key_hash !== body.key,
  };
}

/** A key that is known already, as it was or anew. @returns undefined once it is there, or why it is not */
export async function putKey(
  url: string,
  secret: Secret,
  key: Secret,
  request: KeyRequest,
): Promise<string | undefined> {
  const answer = await postKey(url, secret, encodeURIComponent(idOf(key.reveal(), request)), request);
  if (answer.status !== 200) return refusalOf(answer);
  // A Gateway makes the key around an id, in the form of its own hash function.
  const made = (json(answer) as { key?: unknown } | undefined)?.key;
  return made === key.reveal() ? undefined : 'the Gateway makes another key of its id: it hashes otherwise';
}

/** What makes a key unique: inside its JSON, or behind the organisation that it begins with. */
function idOf(key: string, { organisation }: KeyRequest): string {
  const inside = jsonOf(Buffer.from(key, 'base64').toString('utf8')) as { id?: unknown } | undefined;
  if (typeof inside?.id === 'string') return inside.id;
  return key.startsWith(organisation) ? key.slice(organisation.length) : key;
}

function postKey(
  url: string,
  secret: Secret,
  name: string,
  { organisation, api, alias, expires }: KeyRequest,
): Promise<Answer> {
  return call(new URL(`/tyk/keys/${name}`, url).href, {
    method: 'POST',
    headers: { 'X-Tyk-Authorization': secret.reveal(), 'Content-Type': 'application/json' },
    body: JSON.stringify({
      ...{ org_id: organisation, alias, tags: ['tyk-dr'], expires, quota_max: -1 },
      ...{ rate: 1000, per: 1, allowance: 1000 },
      access_rights: { [api.id]: { api_id: api.id, api_name: api.name, versions: ['Default'] } },
    }),
  });
}

const refusalOf = ({ error, status }: Answer): string =>
  error ?? `the control API answered ${status} to a request for a key`;

/** @returns undefined once it is gone, or why it is not */
export async function deleteKey(url: string, secret: Secret, key: Secret): Promise<string | undefined> {
  const answer = await call(new URL(`/tyk/keys/${encodeURIComponent(key.reveal())}`, url).href, {
    method: 'DELETE',
    headers: { 'X-Tyk-Authorization': secret.reveal() },
  });
  if (answer.status === 200 || answer.status === 404) return undefined;
  return answer.error ?? `the control API answered ${answer.status} to a deletion`;
}
