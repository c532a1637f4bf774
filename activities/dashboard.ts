import { randomBytes } from 'node:crypto';
import { dashboardAlive, listApis, listPolicies, statusWithKey } from '../adapters/tyk/dashboard.ts';
import { startService } from '../adapters/service/service.ts';
import type { DashboardConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { StepResult } from '../domain/run.ts';
import { describeApi, organisationOf, type Definitions } from '../domain/versioned.ts';
import { awaitUntil } from './await-until.ts';
import { methodOfSite } from './database/choose.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { manifestOf, readPart, setOf } from './open-set.ts';
import { proof, requireProofs, sameIds } from './proofs.ts';
import { serviceOf } from './site.ts';
import { whileRunning } from './while-running.ts';

/** The Dashboard: started, and proven non-empty before any Gateway may ask it. */

const ALIVE_TIMEOUT_MS = 60_000;

export function createDashboardActivities(deps: Deps) {
  return {
    'start-dashboard': guarded(deps, 'mutate', startDashboard),
    'prove-dashboard': guarded(deps, 'probe', proveDashboard),
  };
}

async function startDashboard({ target, input, signal }: Call): Promise<StepResult> {
  const { url } = dashboardOf(target.dashboard);
  const service = serviceOf(input.plan.to, target, 'dashboard');
  const started = await startService(service, signal);
  await whileRunning(service, signal, (either) =>
    awaitUntil(async () => ((await dashboardAlive(url)) ? true : undefined), {
      timeoutMs: ALIVE_TIMEOUT_MS,
      signal: either,
      late: () =>
        new DrError('SERVICE_FAILED', {
          service: 'dashboard',
          site: input.plan.to,
          action: 'answer /hello with ok',
          reason: url,
        }),
    }),
  );
  return {
    summary: started ? 'started, /hello says ok' : 'it ran already, /hello says ok',
    observed: !started,
  };
}

async function proveDashboard(call: Call): Promise<StepResult> {
  const { target, deployment } = call;
  const config = dashboardOf(target.dashboard);
  const key = await call.secret(config.accessKey);
  const [apis, policies, rows, wrong] = await Promise.all([
    listApis(config.url, key),
    listPolicies(config.url, key),
    methodOfSite(call.target).controlIds(call),
    statusWithKey(config.url, randomBytes(16).toString('hex')),
  ]);
  const foreign = apis.filter((api) => api.organisation !== deployment.organisation);
  const proofs = [
    sameIds('APIs of the Dashboard equal the database’s', rows.apiIds, apis.map((api) => api.apiId).sort()),
    sameIds('policies of the Dashboard equal the database’s', rows.policyIds, policies),
    proof('a user’s key lists that organisation’s APIs only', foreign.length === 0, 0, foreign.length),
    proof('a wrong key is refused', wrong === 401, 401, wrong),
    proof('the Dashboard is not empty', apis.length > 0, 'at least 1 API', apis.length),
  ];
  requireProofs(proofs);
  const gone = await missingOfSet(
    call,
    apis.map(({ apiId }) => apiId),
  );
  return {
    summary: `${apis.length} APIs and ${policies.length} policies, equal to the database`,
    proofs,
    ...(gone.length === 0 ? {} : { exception: goneText(gone) }),
  };
}

/** Names of the APIs of the set that are not there any more: deleted since, or lost. Of this organisation. */
async function missingOfSet(call: Call, there: readonly string[]): Promise<string[]> {
  const { deployment, input } = call;
  if (input.set === undefined) return [];
  const where = setOf(call);
  const { manifest } = await manifestOf(where);
  if (!manifest.objects.some(({ name }) => name === 'definitions')) return [];
  const { apis } = await readPart<Definitions>(where, manifest, 'definitions');
  return apis
    .filter((api) => organisationOf(api) === deployment.organisation)
    .map(describeApi)
    .filter(({ id }) => id !== '' && !there.includes(id))
    .map(({ id, name }) => name || id);
}

const MOST_NAMED = 10;

function goneText(names: readonly string[]): string {
  const more = names.length - MOST_NAMED;
  const named = `${names.slice(0, MOST_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  const [noun, verb] = names.length === 1 ? ['API', 'is'] : ['APIs', 'are'];
  return `prove-dashboard: ${names.length} ${noun} of the set ${verb} not there: ${named}; deleted since it was taken, or lost?`;
}

function dashboardOf(dashboard: DashboardConfig | undefined): DashboardConfig {
  if (!dashboard) throw new Error('the plan starts a Dashboard that the site does not have');
  return dashboard;
}
