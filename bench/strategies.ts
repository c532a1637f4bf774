import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { choice } from '../cli/arguments.ts';
import { exitWithError } from '../cli/exit.ts';
import { recordOfRun } from './last-record.ts';
import { clockPoint } from '../domain/clock.ts';
import type { RunRecord } from '../domain/run.ts';
import { replicates, STRATEGIES, type Strategy } from '../domain/strategy.ts';
import { DrError } from '../domain/errors.ts';
import type { MonitorSummary } from '../domain/monitor.ts';
import { killSite } from '../lab/break.ts';
import { parseWitness, type Answer } from '../lab/clients/witness.ts';
import { outside, type Lab } from '../lab/layout.ts';
import { SCALES, type ScaleName } from '../lab/seed/definitions.ts';
import { up } from '../lab/up.ts';
import { parsed, whole } from './options.ts';
import { forgetServers, withOwnLab } from './own-lab.ts';
import { circleLine, circleProblems, strategyTable, type StrategyResult } from './strategies-table.ts';
import { tykDr, tykDrJson } from './tyk-dr.ts';

/**
 * `npm run bench:strategies`: the same deployment under each strategy, one after the other on this machine. Where there is
 * a standby it takes over gracefully and gives back; then the site is killed while clients are served, a monitor sees it,
 * and the other site takes over as soon as it has.
 */

const USAGE =
  'usage: npm run bench:strategies -- [--scale small|default|large] [--strategy NAME]... [--circles N] [--json]\n';

interface Options {
  readonly scale: ScaleName;
  readonly strategies: readonly Strategy[];
  /** How often a standby takes over gracefully and gives back. */
  readonly circles: number;
  readonly json: boolean;
}

/** As the financial-services example has it; what it starts by itself is asked for here, so that the two are told apart. */
const MONITOR = { interval: '2s', failAfter: '10s', onFailure: 'notify', heal: 'off' };
const LOOK_MS = 200;
const PATIENCE_MS = 120_000;

try {
  await main(readOptions());
} catch (error) {
  exitWithError(error);
}

async function main({ scale, strategies, circles, json }: Options): Promise<void> {
  forgetServers();
  const results: StrategyResult[] = [];
  for (const strategy of strategies) results.push(await measured(strategy, scale, circles));
  process.stdout.write(`${json ? JSON.stringify(results) : strategyTable(results, scale)}\n`);
  const problems = circleProblems(results);
  for (const problem of problems) say(`NOT RIGHT: ${problem}`);
  if (problems.length > 0) process.exitCode = 3;
}

async function measured(strategy: Strategy, scale: ScaleName, circles: number): Promise<StrategyResult> {
  say(`${strategy}:`);
  return withOwnLab({ scale, strategy, wishes: { monitor: MONITOR } }, async (lab) => {
    await up(lab, say);
    await tykDr(lab, ['backup', lab.deployment, '--no-verify']);
    const standby = replicates(strategy);
    if (standby) await asked(lab, 'replicate', 'dr');
    const graceful: StrategyResult['graceful'][number][] = [];
    for (let circle = 0; standby && circle < circles; circle += 1) {
      for (const to of ['dr', 'primary']) {
        say(`  circle ${circle + 1} of ${circles}: gracefully to ${to}`);
        await asked(lab, 'failover', to, '--graceful');
        const figures = gracefulFigures(await recordOfRun(lab, 'failover'));
        say(`    ${circleLine(figures)}`);
        graceful.push(figures);
      }
    }
    await watched(lab, ({ state }) => state === 'healthy');
    say('  the primary site is killed');
    const killedAt = Date.now();
    await killSite(lab, 'primary');
    const { since } = await watched(lab, ({ state }) => state === 'failed');
    await tykDr(lab, ['monitor', lab.deployment, '--stop', '--reason', 'bench']);
    const [command, ...how] = standby ? ['failover', '--forced'] : ['recover'];
    await asked(lab, command, 'dr', ...how, '--occurred', new Date(killedAt).toISOString());
    const record = await recordOfRun(lab, standby ? 'failover' : 'recover');
    return {
      strategy,
      detectedMs: Date.parse(since) - killedAt,
      ...forcedFigures(record, killedAt, await answers(lab)),
      graceful,
    };
  });
}

/** Starts the monitor where it does not run. @throws DrError MONITOR_NOT_RUNNING where it does not come to see that */
async function watched(lab: Lab, sees: (summary: MonitorSummary) => boolean): Promise<MonitorSummary> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await sleep(LOOK_MS)) {
    const summary = await tykDrJson<MonitorSummary>(lab, ['monitor', lab.deployment, '--json']);
    if (sees(summary)) return summary;
  }
  throw new DrError('MONITOR_NOT_RUNNING', { deployment: lab.deployment });
}

function asked(lab: Lab, command: string, to: string, ...more: string[]): Promise<string> {
  const how = ['--on-failure', 'abort', '--reason', 'bench'];
  // Exceptions such as data that are kept aside are no failure of what is measured here.
  return tykDr(lab, [command, lab.deployment, '--to', to, ...how, ...more], [0, 3]);
}

async function answers(lab: Lab): Promise<Answer[]> {
  return parseWitness(await readFile(outside(lab, 'witness', 'clients.jsonl'), 'utf8'));
}

function forcedFigures(
  record: RunRecord,
  killedAt: number,
  seen: readonly Answer[],
): Omit<StrategyResult, 'strategy' | 'graceful' | 'detectedMs'> {
  const at = (name: Parameters<typeof clockPoint>[1]): number =>
    Date.parse(clockPoint(record.clock, name)!.at);
  const after = seen.filter((answer) => Date.parse(answer.at) >= killedAt);
  const failed = after.filter(({ status }) => status === 0 || status >= 500);
  const last = failed.at(-1);
  const good = last && after.find((answer) => answer.at > last.at);
  return {
    outcome: record.outcome!,
    decidedMs: at('declared') - killedAt,
    decisionToTrafficMs: at('traffic verified') - at('declared'),
    // By the client itself: where no request failed, nobody was without an answer.
    ...(failed.length === 0 ? { outageMs: 0 } : good ? { outageMs: Date.parse(good.at) - killedAt } : {}),
    failedRequests: failed.length,
    promotionsMs: longest(record, ['promote-redis', 'promote-database']),
    losses: (record.losses ?? []).map(({ store, minMs, maxMs, lost }) => ({
      store,
      ...(minMs === undefined ? {} : { minMs }),
      ...(maxMs === undefined ? {} : { maxMs }),
      ...(lost === undefined ? {} : { lost }),
    })),
  };
}

function gracefulFigures(record: RunRecord): StrategyResult['graceful'][number] {
  const step = (id: string) => record.steps.find((row) => row.id === id)!;
  const writable = Math.max(
    ...['promote-redis', 'promote-database'].map((id) => Date.parse(step(id).endedAt!)),
  );
  return {
    outcome: record.outcome!,
    writesHeldMs: writable - Date.parse(step('stop-writes').startedAt!),
    decisionToTrafficMs:
      Date.parse(clockPoint(record.clock, 'traffic verified')!.at) -
      Date.parse(clockPoint(record.clock, 'declared')!.at),
    ...lostOf(record),
    ...(record.witness ? { failedRequests: record.witness.failed } : {}),
  };
}

/** Of both stores; nothing where one of them was not measured. */
function lostOf({ losses = [] }: RunRecord): { lost?: number } {
  const numbers = losses.flatMap(({ lost }) => lost ?? []);
  if (losses.length === 0 || numbers.length < losses.length) return {};
  return { lost: numbers.reduce((sum, lost) => sum + lost, 0) };
}

/** Those of the same time count once. */
function longest(record: RunRecord, ids: readonly string[]): number | undefined {
  const times = record.steps.flatMap(({ id, startedAt, endedAt }) =>
    ids.includes(id) && startedAt && endedAt ? [Date.parse(endedAt) - Date.parse(startedAt)] : [],
  );
  return times.length === 0 ? undefined : Math.max(...times);
}

function readOptions(): Options {
  const values = parsed(USAGE, {
    scale: { type: 'string', default: 'default' },
    strategy: { type: 'string', multiple: true, default: [...STRATEGIES] },
    circles: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  });
  return {
    scale: choice('--scale', Object.keys(SCALES) as ScaleName[])(values.scale),
    strategies: values.strategy.map((name) => choice('--strategy', STRATEGIES)(name)),
    circles: whole('--circles', values.circles, 0, 100),
    json: values.json,
  };
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
