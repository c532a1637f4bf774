import type { ApiListing } from '../adapters/tyk/dashboard.ts';
import { call as http } from '../adapters/tyk/http.ts';
import { DrError } from '../domain/errors.ts';
import type { Proof, StepResult } from '../domain/run.ts';
import type { GatewayConfig } from '../domain/config.ts';
import { TIERS, type Tier } from '../domain/objectives.ts';
import { tierOfApi } from './api-tier.ts';
import { awaitUntil } from './await-until.ts';
import { methodOfSite } from './database/choose.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { runProbe } from './probes.ts';
import { notMeasured, proof, requireProofs } from './proofs.ts';
import { activeApis } from './published.ts';
import { gatewaysOn } from './site.ts';

/** What the guide calls 'Verification steps': as a client would see it, on every Gateway, before any traffic. */

/** How many APIs of each kind and tier are called besides the configured probes. */
const SAMPLE_PER_TIER = 1;
/** The Pump empties the list every ten seconds or so, and then writes. */
const ANALYTICS_TIMEOUT_MS = 90_000;

export function createVerificationActivities(deps: Deps) {
  return {
    'prove-apis': guarded(deps, 'probe', proveApis),
    'prove-authentication': guarded(deps, 'probe', proveAuthentication),
    'prove-analytics': guarded(deps, 'probe', proveAnalytics),
  };
}

async function proveApis(call: Call): Promise<StepResult> {
  const probes = call.deployment.probes
    .filter((probe) => probe.proves === 'api')
    .sort(
      (a, b) => TIERS.indexOf(a.tier ?? call.deployment.tier) - TIERS.indexOf(b.tier ?? call.deployment.tier),
    );
  const proofs: Proof[] = [];
  for (const probe of probes) {
    for (const gateway of gatewaysOn(call.worker, call.target)) {
      const result = await runProbe(call, gateway.url, probe);
      proofs.push({ ...result, name: `${gateway.name}: ${result.name}` });
    }
  }
  proofs.push(...(await sampleEveryKind(call)));
  requireProofs(proofs);
  return { summary: summarise(proofs), proofs };
}

/** Calls a few APIs of each kind without credentials: a keyless one must pass, any other must turn us away. */
async function sampleEveryKind(call: Call): Promise<Proof[]> {
  const active = await activeApis(call);
  const tierOf = (api: ApiListing): Tier => tierOfApi(api) ?? call.deployment.tier;
  // The most urgent tier first, as the proofs are read.
  active.sort((a, b) => TIERS.indexOf(tierOf(a)) - TIERS.indexOf(tierOf(b)));
  const proofs: Proof[] = [];
  for (const [kind, apis] of byAuth(active)) {
    for (const api of spread(apis, tierOf)) {
      for (const gateway of gatewaysOn(call.worker, call.target)) {
        proofs.push({ ...(await callWithoutCredentials(gateway, api, kind)), tier: tierOf(api) });
      }
    }
    if (['jwt', 'oauth', 'mtls'].includes(kind)) proofs.push(unexercised(kind, apis));
  }
  return proofs;
}

/** What a Gateway says of a path that no API listens on. */
const GATEWAY_404 = 'Not Found';

async function callWithoutCredentials(gateway: GatewayConfig, api: ApiListing, kind: string): Promise<Proof> {
  const { status, error, body } = await http(new URL(api.listenPath, gateway.url).href);
  // What an upstream thinks of its own root is its business; the Gateway's own 404 means that the API is not there.
  const answered = status > 0 && status < 500 && !(status === 404 && body.trim() === GATEWAY_404);
  const right = kind === 'keyless' ? answered : [400, 401, 403].includes(status);
  const expected = kind === 'keyless' ? 'an answer of the upstream' : 'turned away without credentials';
  return proof(`${gateway.name}: ${kind} API ${api.name}`, right, expected, error ?? status);
}

/** A few of each kind, with every tier among them. */
function spread(apis: readonly ApiListing[], tierOf: (api: ApiListing) => Tier): ApiListing[] {
  const ofEach = TIERS.flatMap((tier) =>
    apis.filter((api) => tierOf(api) === tier).slice(0, SAMPLE_PER_TIER),
  );
  return ofEach.length > 0 ? ofEach : apis.slice(0, SAMPLE_PER_TIER);
}

function byAuth(apis: readonly ApiListing[]): Map<string, ApiListing[]> {
  const kinds = new Map<string, ApiListing[]>();
  for (const api of apis) kinds.set(api.auth, [...(kinds.get(api.auth) ?? []), api]);
  return kinds;
}

function unexercised(kind: string, apis: readonly ApiListing[]): Proof {
  return notMeasured(
    `${kind} APIs with valid credentials (${apis.length})`,
    'no credentials are configured to exercise them',
  );
}

/** What each kind of probe establishes about authentication and policies, in the order of asking. */
const AUTHENTICATION = ['known-key', 'wrong-key', 'expired-key', 'quota', 'rate-limit'] as const;

async function proveAuthentication(call: Call): Promise<StepResult> {
  const proofs: Proof[] = [];
  const gateway = call.target.gateways[0]!;
  for (const kind of AUTHENTICATION) {
    const probes = call.deployment.probes.filter((probe) => probe.proves === kind);
    if (probes.length === 0) proofs.push(notMeasured(kind, 'no probe is configured for it'));
    for (const probe of probes) {
      if (kind === 'quota') proofs.push(await quotaCountsDown(call, gateway.url, probe));
      else if (kind === 'rate-limit') proofs.push(await rateLimitBites(call, gateway.url, probe));
      else proofs.push(await runProbe(call, gateway.url, probe));
    }
  }
  requireProofs(proofs);
  return { summary: summarise(proofs), proofs };
}

type Probe = Call['deployment']['probes'][number];

/** Tyk tells the remaining quota in X-RateLimit-Remaining; it must fall from one request to the next. */
async function quotaCountsDown(call: Call, baseUrl: string, probe: Probe): Promise<Proof> {
  const first = await remainingQuota(call, baseUrl, probe);
  const second = await remainingQuota(call, baseUrl, probe);
  const ok = first !== undefined && second !== undefined && second < first;
  return proof(
    `${probe.name}: a quota counts down`,
    ok,
    'fewer after each request',
    `${first ?? 'none'}, then ${second ?? 'none'}`,
  );
}

async function remainingQuota(call: Call, baseUrl: string, probe: Probe): Promise<number | undefined> {
  const answer = await http(new URL(probe.path, baseUrl).href, { headers: await keyHeader(call, probe) });
  const header = answer.headers['x-ratelimit-remaining'];
  return header === undefined || header === '' ? undefined : Number(header);
}

/** More requests at once than any small limit allows: some must pass and some must get 429. */
const BURST = 30;

async function rateLimitBites(call: Call, baseUrl: string, probe: Probe): Promise<Proof> {
  const headers = await keyHeader(call, probe);
  const url = new URL(probe.path, baseUrl).href;
  const answers = await Promise.all(Array.from({ length: BURST }, () => http(url, { headers })));
  const limited = answers.filter((answer) => answer.status === 429).length;
  return proof(
    `${probe.name}: a rate limit bites`,
    limited > 0,
    `some of ${BURST} answered 429`,
    `${limited} answered 429`,
  );
}

async function keyHeader(call: Call, probe: Probe): Promise<Record<string, string>> {
  return probe.key === undefined ? {} : { Authorization: (await call.secret(probe.key)).reveal() };
}

async function proveAnalytics(call: Call): Promise<StepResult> {
  const { analytics } = call.deployment;
  if (!analytics)
    return {
      summary: 'no analytics probe is configured',
      proofs: [notMeasured('analytics', 'not configured')],
    };
  const gateway = call.target.gateways[0]!;
  const marker = `tyk-dr-${call.input.run}-${call.input.epoch}`;
  const key = analytics.key === undefined ? undefined : await call.secret(analytics.key);
  const headers = { 'User-Agent': marker, ...(key === undefined ? {} : { Authorization: key.reveal() }) };
  const already = await methodOfSite(call.target).countAnalytics(call, marker);
  for (let sent = already; sent < analytics.requests; sent += 1)
    await http(new URL(analytics.path, gateway.url).href, { headers });
  const arrived = await awaitUntil(
    async () => {
      const count = await methodOfSite(call.target).countAnalytics(call, marker);
      return count >= analytics.requests ? count : undefined;
    },
    {
      timeoutMs: ANALYTICS_TIMEOUT_MS,
      everyMs: 250,
      signal: call.signal,
      late: () =>
        new DrError('PROOF_FAILED', {
          proof: 'marked requests arrive in the analytics store',
          expected: String(analytics.requests),
          actual: `fewer after ${ANALYTICS_TIMEOUT_MS / 1000} s`,
        }),
    },
  );
  return {
    summary: `${arrived} marked requests arrived through the Pump`,
    proofs: [proof('marked requests arrive in the analytics store', true, analytics.requests, arrived)],
  };
}

function summarise(proofs: readonly Proof[]): string {
  const open = proofs.filter((candidate) => candidate.verdict === 'not-measured').length;
  return `${proofs.length - open} proofs pass${open > 0 ? `, ${open} not measured` : ''}`;
}
