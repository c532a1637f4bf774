import { listApis, readApi, writeApi } from '../adapters/tyk/dashboard.ts';
import { loadedName } from '../adapters/tyk/gateway.ts';
import type { DashboardConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { StepResult } from '../domain/run.ts';
import { awaitUntil } from './await-until.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { notMeasured, proof } from './proofs.ts';

/** An API edited through the Dashboard must reach the Gateways: the way by which Tyk is operated from now on. */

const REACHED_TIMEOUT_MS = 30_000;
/** What the edit adds to the name of an API; found again, and taken away, by a repeated step. */
const MARK = ' (tyk-dr was here)';

export function createDashboardEditActivities(deps: Deps) {
  return { 'prove-dashboard-edit': guarded(deps, 'mutate', proveDashboardEdit) };
}

interface Document {
  readonly api_definition: { readonly name: string };
}

async function proveDashboardEdit(call: Call): Promise<StepResult> {
  const dashboard = call.target.dashboard!;
  const key = await call.secret(dashboard.accessKey);
  // An OAS API is edited through another door; a classic one shows the same way.
  const api = (await listApis(dashboard.url, key)).find((candidate) => candidate.active && !candidate.oas);
  if (!api)
    return {
      summary: 'no active classic API',
      proofs: [notMeasured('an edit reaches the Gateways', 'no classic API to edit')],
    };
  const stored = (await readApi(dashboard.url, key, api.dbId)) as unknown as Document;
  const original = stored.api_definition.name.replaceAll(MARK, '');
  const named = (name: string): Document => ({
    ...stored,
    api_definition: { ...stored.api_definition, name },
  });
  const put = async (name: string): Promise<void> => {
    await writeApi(dashboard.url, key, api.dbId, named(name));
    await reached(call, api.apiId, name, dashboard);
  };
  try {
    await put(original + MARK);
  } finally {
    await put(original);
  }
  return {
    summary: `an edit of ${original} reached ${call.target.gateways.length} Gateways and was put back`,
    proofs: [
      proof(
        'an API edited through the Dashboard reaches the Gateways and is put back',
        true,
        original,
        original,
      ),
    ],
  };
}

async function reached(call: Call, apiId: string, name: string, dashboard: DashboardConfig): Promise<void> {
  const secret = await call.secret(call.deployment.secrets.gateway);
  for (const gateway of call.target.gateways) {
    await awaitUntil(
      async () => ((await loadedName(gateway.url, secret, apiId)) === name ? true : undefined),
      {
        timeoutMs: REACHED_TIMEOUT_MS,
        signal: call.signal,
        late: () =>
          new DrError('PROOF_FAILED', {
            proof: `an edit through ${dashboard.url} reaches ${gateway.name}`,
            expected: name,
            actual: 'the old definition',
          }),
      },
    );
  }
}
