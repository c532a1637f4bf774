import type { WorkflowHandle } from '@temporalio/client';
import { DrError } from '../domain/errors.ts';
import { FLEET_QUERY, fleetClass, fleetId, type FleetMember, type FleetRecord } from '../domain/fleet.ts';
import { fleetReport, fleetScreen } from '../report/fleet.ts';
import type { Door } from './client.ts';
import { exitWithClass } from './exit.ts';
import { cutOff, isTemporalLost } from './failures.ts';
import { redraw } from './redraw.ts';
import { described, soon } from './run-record.ts';
import { watch } from './watch.ts';

/** Shows a fleet as it goes, on one screen, and ends with its report. */

/** Where the terminal does not say. */
const COLUMNS = 120;
const ROWS = 40;

/** The newest fleet that has lost the site. */
export const fleetHandle = ({ client }: Door, site: string): WorkflowHandle =>
  client.workflow.getHandle(fleetId(site));

export interface FleetState {
  /** Undefined where no worker answers. */
  readonly record: FleetRecord | undefined;
  readonly ended: boolean;
}

/** @throws DrError FLEET_UNKNOWN, RUN_CUT_OFF; what says that Temporal itself is away */
export async function fleetState(door: Door, site: string): Promise<FleetState> {
  const handle = fleetHandle(door, site);
  const found = await described(door, handle);
  if (!found) throw new DrError('FLEET_UNKNOWN', { site });
  if (found.status.name === 'RUNNING') {
    const record = await soon(door, () => handle.query<FleetRecord>(FLEET_QUERY)).catch(() => undefined);
    return { record, ended: false };
  }
  try {
    return { record: await soon(door, () => handle.result() as Promise<FleetRecord>), ended: true };
  } catch (error) {
    const how = cutOff(error);
    if (isTemporalLost(error) || how === undefined) throw error;
    throw new DrError('RUN_CUT_OFF', { run: fleetId(site), how }, { cause: error });
  }
}

/** Until all have ended, or the person lets go with Ctrl-C; the fleet does not mind either way. */
export async function followFleet(door: Door, site: string, json: boolean): Promise<void> {
  const show = json ? jsonLines() : process.stdout.isTTY ? screen() : plainLines();
  const last = await watch({
    what: 'the fleet',
    back: `tyk-dr fleet show ${site} --watch`,
    async look() {
      const state = await fleetState(door, site);
      return { state, ended: state.ended };
    },
    show: ({ record }) => {
      if (record) show(record);
    },
    answered: ({ record }) => record !== undefined,
    notice,
  });
  if (last?.record === undefined) return;
  const { record } = last;
  process.stdout.write(
    json
      ? `${JSON.stringify({ version: 1, type: 'result', ...record })}\n`
      : `\n${fleetReport(record, Date.now())}\n`,
  );
  exitWithClass(fleetClass(record));
}

function notice(text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
}

function screen(): (record: FleetRecord) => void {
  const draw = redraw();
  return (record) => {
    const { columns = COLUMNS, rows = ROWS } = process.stdout;
    // One line stays for the cursor.
    draw(fleetScreen(record, Date.now(), rows - 1).map((line) => line.slice(0, columns - 1)));
  };
}

/** One line whenever a deployment changes its state. */
function plainLines(): (record: FleetRecord) => void {
  const changed = changes();
  return (record) => {
    for (const member of changed(record)) {
      const { deployment, run, state, startedAt, endedAt, askedAt, ending, waitsFor } = member;
      const when = endedAt ?? (state === 'person' ? new Date().toISOString() : (startedAt ?? askedAt));
      const text = ending?.error ?? waitsFor;
      process.stdout.write(
        `${when} ${deployment} ${ending?.outcome ?? state} ${run}${text === undefined ? '' : `: ${text}`}\n`,
      );
    }
  };
}

function jsonLines(): (record: FleetRecord) => void {
  const changed = changes();
  return (record) => {
    for (const member of changed(record))
      process.stdout.write(`${JSON.stringify({ version: 1, type: 'deployment', ...member })}\n`);
  };
}

/** Those that are in another state than last time. */
function changes(): (record: FleetRecord) => FleetMember[] {
  const seen = new Map<string, string>();
  return ({ members }) =>
    members.filter(({ deployment, state, waitsFor }) => {
      const now = `${state} ${waitsFor ?? ''}`;
      if (seen.get(deployment) === now) return false;
      seen.set(deployment, now);
      return true;
    });
}
