import { buildApiEntry, type ApiListEntry, type ApiOptions } from '../tyk/api-definition.ts';
import { accessTo, buildPolicy, type Policy } from '../tyk/policy.ts';
import { stableId } from './random.ts';

/** APIs and policies as a customer has them: of every kind, some inactive, tagged with a tier. Pure. */

export interface Scale {
  readonly apis: number;
  readonly policies: number;
  readonly keys: number;
  readonly analyticsRows: number;
}

export const SCALES = {
  small: { apis: 40, policies: 10, keys: 1_000, analyticsRows: 5_000 },
  default: { apis: 300, policies: 60, keys: 20_000, analyticsRows: 200_000 },
  // The analytics rows make a database of 1 GB.
  large: { apis: 2_000, policies: 400, keys: 1_000_000, analyticsRows: 1_700_000 },
} as const satisfies Record<string, Scale>;
export type ScaleName = keyof typeof SCALES;

export interface Definitions {
  readonly apis: readonly ApiListEntry[];
  readonly policies: readonly Policy[];
}

export const ORGANISATIONS = [24, 25].map((number) => stableId(number, 'organisation', 24)) as [
  string,
  string,
];

/** How the kinds of authentication are spread over ten APIs. */
const KINDS: readonly NonNullable<ApiOptions['auth']>[] = [
  'keyless',
  'token',
  'token',
  'token',
  'token',
  'keyless',
  'jwt',
  'oauth2',
  'mtls',
  'token',
];
const TIER_TAGS = ['tier-critical', 'tier-important', 'tier-standard', 'tier-development'];

/** The first two of the list are the ones that probes call: keyless, then by key; both active and classic. */
export function makeApis(seed: number, scale: Scale, upstreamUrl: string): ApiListEntry[] {
  return Array.from({ length: scale.apis }, (_, index) => {
    const kind = KINDS[index % KINDS.length]!;
    const versioned = index % 17 === 11 && kind === 'token';
    return withId(
      seed,
      buildApiEntry({
        apiId: stableId(seed, `api ${index}`, 32),
        // Every tenth belongs to the second organisation: a user must not see it.
        orgId: ORGANISATIONS[index % 10 === 9 ? 1 : 0],
        name: `API ${index} (${kind})`,
        listenPath: `/api-${index}/`,
        targetUrl: upstreamUrl,
        auth: kind,
        active: index % 23 !== 22,
        tags: [TIER_TAGS[index % TIER_TAGS.length]!],
        oas: index % 4 === 3 && !versioned,
        ...(versioned ? { versions: { targets: { v1: '', v2: upstreamUrl }, default: 'v1' } } : {}),
      }),
      index,
    );
  });
}

/** The Dashboard knows an API by 24 digits of its own, besides `api_id`. */
function withId(seed: number, entry: ApiListEntry, index: number): ApiListEntry {
  return { ...entry, api_definition: { ...entry.api_definition, id: stableId(seed, `api db ${index}`, 24) } };
}

/** Each policy gives access to a handful of APIs of its own organisation. */
export function makePolicies(seed: number, scale: Scale, apis: readonly ApiListEntry[]): Policy[] {
  return Array.from({ length: scale.policies }, (_, index) => {
    const orgId = ORGANISATIONS[index % 10 === 9 ? 1 : 0];
    const own = apis.filter(
      ({ api_definition: api }) => api.org_id === orgId && api.version_data.not_versioned,
    );
    const chosen = Array.from({ length: 5 }, (_each, offset) => own[(index * 5 + offset) % own.length]!);
    return buildPolicy({
      id: stableId(seed, `policy ${index}`, 24),
      orgId,
      name: `Plan ${index}`,
      rate: 100 + index,
      per: 60,
      quota_max: index % 3 === 0 ? -1 : 10_000 + index,
      quota_renewal_rate: 86_400,
      access_rights: accessTo(chosen.map(({ api_definition: api }) => api.api_id)),
    });
  });
}
