import { listApis, readApi, writeApi, type ApiListing } from '../adapters/tyk/dashboard.ts';
import { loadedName } from '../adapters/tyk/gateway.ts';
import type { GatewayConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { TIERS } from '../domain/objectives.ts';
import type { StepResult } from '../domain/run.ts';
import type { Secret } from '../domain/secret.ts';
import { tierOfApi } from './api-tier.ts';
import { awaitUntil } from './await-until.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { notMeasured, proof } from './proofs.ts';

/** An API edited through the Dashboard must reach the Gateways: the way by which Tyk is operated from now on. */

const REACHED_TIMEOUT_MS = 60_000;
/** A Gateway that has just started hears no notification for some ten seconds: the edit is told again until it is. */
const TOLD_AGAIN_MS = 2_500;
/** What the edit adds to the name of an API; found again, and taken away, by a repeated step. */
const MARK = ' (tyk-dr was here)';

export function createDashboardEditActivities(deps: Deps) {
  return { 'prove-dashboard-edit': guarded(deps, 'mutate', proveDashboardEdit) };
}

interface Document {
  readonly api_definition: { readonly name: string };
}

async function proveDashboardEdit(call: Call): Promise<StepResult> {
  const { url, accessKey } = call.target.dashboard!;
  const key = await call.secret(accessKey);
  const api = leastUrgent(await listApis(url, key));
  if (!api)
    return {
      summary: 'no active classic API',
      proofs: [notMeasured('an edit reaches the Gateways', 'no classic API to edit')],
    };
  const stored = (await readApi(url, key, api.dbId)) as unknown as Document;
  const original = stored.api_definition.name.replaceAll(MARK, '');
  const rename = (name: string): Promise<string> =>
    edit(call, api, name, () =>
      writeApi(url, key, api.dbId, { ...stored, api_definition: { ...stored.api_definition, name } }),
    );
  let edited: string;
  let restored: string;
  try {
    edited = await rename(original + MARK);
  } finally {
    restored = await rename(original);
  }
  const gateways = call.target.gateways.length;
  return {
    summary: `an edit of ${original} reached ${gateways} Gateway${gateways === 1 ? '' : 's'} and was put back`,
    proofs: [
      proof('an API edited through the Dashboard reaches the Gateways', true, original + MARK, edited),
      proof('the edit is put back', true, original, restored),
    ],
  };
}

/** An OAS API is edited through another door; a classic one shows the same way. */
function leastUrgent(apis: readonly ApiListing[]): ApiListing | undefined {
  const urgency = (api: ApiListing): number => TIERS.indexOf(tierOfApi(api) ?? TIERS[0]);
  return apis.filter((api) => api.active && !api.oas).sort((a, b) => urgency(b) - urgency(a))[0];
}

/** Writes until every Gateway has loaded it. @returns the name that they have. */
async function edit(call: Call, api: ApiListing, name: string, write: () => Promise<void>): Promise<string> {
  const secret = await call.secret(call.deployment.secrets.gateway);
  let toldAt = 0;
  const reached = async (): Promise<string | undefined> => {
    if (performance.now() - toldAt > TOLD_AGAIN_MS || toldAt === 0) {
      await write();
      toldAt = performance.now();
    }
    return (await everyGatewayHas(call.target.gateways, secret, api.apiId, name)) ? name : undefined;
  };
  return awaitUntil(reached, {
    timeoutMs: REACHED_TIMEOUT_MS,
    signal: call.signal,
    late: () =>
      new DrError('PROOF_FAILED', {
        proof: `an edit of ${api.name} through the Dashboard reaches every Gateway`,
        expected: name,
        actual: 'another definition',
      }),
  });
}

async function everyGatewayHas(
  gateways: readonly GatewayConfig[],
  secret: Secret,
  apiId: string,
  name: string,
): Promise<boolean> {
  const names = await Promise.all(gateways.map((gateway) => loadedName(gateway.url, secret, apiId)));
  return names.every((loaded) => loaded === name);
}
