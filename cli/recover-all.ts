import { userInfo } from 'node:os';
import { mapParallel } from '../adapters/files/map-parallel.ts';
import type { Config } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { FleetInput, FleetRecord, FleetRunbook } from '../domain/fleet.ts';
import { forecastLines, notTakenLines } from '../report/fleet.ts';
import type { Door } from './client.ts';
import { stopDrillInTheWay } from './drill-in-the-way.ts';
import { lookAtAll, type FleetRequest, type Looked } from './fleet-look.ts';
import { startFleet, type Ready } from './fleet-start.ts';
import { fleetState, followFleet } from './follow-fleet.ts';
import type { PlanOptions } from './plan-request.ts';

/** `tyk-dr recover --all`: every deployment that has lost a site, as one fleet. */

export interface AllOptions extends Omit<PlanOptions, 'to'> {
  readonly all?: boolean;
  /** The site that was lost. */
  readonly site?: string;
  readonly to?: string;
  readonly detected?: string;
  readonly reason: string;
  readonly actor?: string;
  readonly detach?: boolean;
  readonly json?: boolean;
  readonly yes?: boolean;
}

/** @param scenarioGiven whether somebody has typed --scenario @throws DrError BAD_ARGUMENT */
export function fleetRequest(
  config: Config,
  options: AllOptions,
  runbook: FleetRunbook,
  scenarioGiven: boolean,
): FleetRequest {
  refuseSingle(options);
  const { site, to, scenario, snapshots, occurred, detected, toTime, onFailure, reason } = options;
  const sites = [...new Set(Object.values(config.deployments).flatMap((each) => Object.keys(each.sites)))];
  const known = (argument: string, value: string | undefined, expected: string): void => {
    if (value === undefined || !sites.includes(value))
      throw new DrError('BAD_ARGUMENT', { argument, value: value ?? 'missing', expected });
  };
  known('--site', site, `the lost site, one of ${sites.join(', ')}`);
  if (to !== undefined) known('--to', to, `one of ${sites.join(', ')}`);
  if (to === site)
    throw new DrError('BAD_ARGUMENT', { argument: '--to', value: to, expected: `another site than ${site}` });
  return {
    ...{ site: site!, runbook, reason, snapshots, onFailure },
    scenario: scenarioGiven ? scenario : 'regional',
    actor: options.actor ?? userInfo().username,
    declaredAt: new Date().toISOString(),
    ...(to === undefined ? {} : { to }),
    ...(occurred === undefined ? {} : { occurredAt: occurred }),
    ...(detected === undefined ? {} : { detectedAt: detected }),
    ...(toTime === undefined ? {} : { toTime }),
  };
}

/** What only one deployment can be asked for. */
function refuseSingle({ from, backup, configRef, component, inPlace, yes }: AllOptions): void {
  const given = Object.entries({
    '--from': from,
    '--backup': backup === 'latest' ? undefined : backup,
    '--config-ref': configRef,
    '--component': component,
    '--in-place': inPlace,
    '--yes': yes,
  }).find(([, value]) => value !== undefined);
  if (!given) return;
  throw new DrError('BAD_ARGUMENT', {
    ...{ argument: given[0], value: String(given[1]) },
    expected: 'one DEPLOYMENT instead of --all; with --all the lost site is --site',
  });
}

export async function recoverAll(
  door: Door,
  request: FleetRequest,
  { detach = false, json = false }: Pick<AllOptions, 'detach' | 'json'>,
): Promise<void> {
  const { site } = request;
  await requireNone(door, site);
  const names = Object.keys(door.config.deployments);
  process.stderr.write(`looking at ${names.length} deployments\n`);
  const looked = await lookAtAll(door, request, names);
  if (looked.ready.length === 0)
    throw new DrError('FLEET_NOBODY', {
      ...{ count: names.length, site, reasons: notTakenLines(looked.notTaken).join('\n') },
    });
  const input = inputOf(door, request, looked);
  say([...notTakenLines(looked.notTaken), ...forecastLines(expectedRecord(input, looked), Date.now())]);
  await stopDrills(door, looked.ready, request.actor);
  await startFleet(door.client, input, looked.ready);
  if (json)
    process.stdout.write(
      `${JSON.stringify({ version: 1, type: 'started', fleet: site, deployments: looked.ready.length })}\n`,
    );
  say([`${looked.ready.length} deployments ask for their turn; Ctrl-C only lets go of them`]);
  if (detach) say([`follow them with: tyk-dr fleet show ${site} --watch`]);
  else await followFleet(door, site, json);
}

/** No rehearsal holds up the real thing. Its tear-down is waited for by the one turn that needs it, and by no other. */
export async function stopDrills(door: Door, ready: readonly Ready[], actor: string): Promise<void> {
  const held = ready.filter(({ afterDrill }) => afterDrill !== undefined);
  await mapParallel(held, ({ asking }) => stopDrillInTheWay(door, asking.deployment, actor), STOPS_AT_A_TIME);
}

const STOPS_AT_A_TIME = 16;

/** Looking at hundreds takes a while: what is refused for sure is refused before. @throws DrError FLEET_RUNNING */
async function requireNone(door: Door, site: string): Promise<void> {
  const ended = await fleetState(door, site).then(
    (state) => state.ended,
    (error: unknown) => {
      if (error instanceof DrError && (error.code === 'FLEET_UNKNOWN' || error.code === 'RUN_CUT_OFF'))
        return true;
      throw error;
    },
  );
  if (!ended) throw new DrError('FLEET_RUNNING', { site });
}

function inputOf(
  { config }: Door,
  { site, runbook, scenario, actor, reason, declaredAt, occurredAt, detectedAt }: FleetRequest,
  { notTaken, ready }: Looked,
): Omit<FleetInput, 'coming'> {
  return {
    ...{ site, runbook, scenario, actor, reason, declaredAt, notTaken, limits: config.fleet },
    ...(ready.some(({ asking }) => config.deployments[asking.deployment]?.notify) ? { notifies: true } : {}),
    ...(occurredAt === undefined ? {} : { occurredAt }),
    ...(detectedAt === undefined ? {} : { detectedAt }),
  };
}

/** As it will stand once all have asked. */
function expectedRecord(input: Omit<FleetInput, 'coming'>, { ready }: Looked): FleetRecord {
  const startedAt = new Date().toISOString();
  const members = ready.map(({ asking }) => ({ ...asking, state: 'queued' as const, askedAt: startedAt }));
  return { ...input, format: 'tyk-dr/fleet/v1', startedAt, coming: {}, allHere: true, members };
}

function say(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${line}\n`);
}
