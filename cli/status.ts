import type { Command } from 'commander';
import type { WorkflowHandle } from '@temporalio/client';
import { DrError } from '../domain/errors.ts';
import { outlook } from '../domain/outlook.ts';
import { summaryOf } from '../domain/run-summary.ts';
import { outputLines } from '../report/asks.ts';
import { columns } from '../report/columns.ts';
import { shown, withFigures } from '../report/json.ts';
import { overviewLines, outlookText, type OverviewRow } from '../report/overview.ts';
import { contactRows } from '../report/people.ts';
import { liveTable } from '../report/table.ts';
import { runArgument } from './arguments.ts';
import { findRun, withDoor, type Door } from './client.ts';
import { follow } from './follow.ts';
import { keptRecord } from './kept-runs.ts';
import { lateFences } from './late-fences.ts';
import { memoSummary } from './memo-summary.ts';
import { missingLines } from './missing-workers.ts';
import { overviewOf } from './overview.ts';
import { redraw } from './redraw.ts';
import { runState, soon } from './run-record.ts';
import { watch } from './watch.ts';

/** `tyk-dr status`: where all deployments stand, or one run. It answers also when no worker lives. */

interface StatusOptions {
  readonly watch?: boolean;
  readonly json?: boolean;
}

export function registerStatus(program: Command, config: () => string | undefined): void {
  program
    .command('status')
    .description('Where every deployment stands, or a run in detail, and what it waits for')
    .argument(
      '[run]',
      'a run id, or a deployment for its newest run; default all deployments',
      runArgument('RUN'),
    )
    .option('--watch', 'follow it until it ends; all deployments until Ctrl-C')
    .option('--json', 'as JSON')
    .action(async (run: string | undefined, { watch: follows = false, json = false }: StatusOptions) => {
      await withDoor(config(), async (door) => {
        if (run === undefined) return follows ? await watchAll(door, json) : await showAll(door, json);
        const handle = await findRun(door, run);
        if (!follows) return await show(door, handle, json);
        const { memo } = await soon(door, () => handle.describe());
        await follow(door, handle, String(memo?.['run'] ?? run), json);
      });
    });
}

async function showAll(door: Door, json: boolean): Promise<void> {
  const deployments = await overviewOf(door);
  const text = json
    ? JSON.stringify({ version: 1, deployments }, undefined, 2)
    : overviewLines(deployments, Date.now()).join('\n');
  process.stdout.write(`${text}\n`);
}

/** Redrawn in a terminal; elsewhere, and as JSON, printed again whenever something but the clock has changed. */
async function watchAll(door: Door, json: boolean): Promise<void> {
  const draw = process.stdout.isTTY && !json ? redraw() : undefined;
  let last = '';
  await watch<OverviewRow[]>({
    what: 'whatever is running',
    back: 'tyk-dr status --watch',
    look: async () => ({ state: await overviewOf(door), ended: false }),
    show(rows) {
      const { columns = 160, rows: height = 40 } = process.stdout;
      const lines = overviewLines(rows, Date.now());
      if (draw) return draw(lines.slice(0, height - 1).map((line) => line.slice(0, columns - 1)));
      const news = JSON.stringify(rows.map(withoutClock));
      if (news === last) return;
      last = news;
      process.stdout.write(
        json
          ? `${JSON.stringify({ version: 1, type: 'overview', deployments: rows })}\n`
          : `${new Date().toISOString()}\n${lines.join('\n')}\n`,
      );
    },
    notice: (text) => process.stderr.write(`${new Date().toISOString()} ${text}\n`),
  });
}

function withoutClock({ outlook: out, missingWorkers, ...row }: OverviewRow): object {
  return { ...row, verdict: out?.verdict, missing: missingWorkers.map(({ start }) => start) };
}

async function show(door: Door, handle: WorkflowHandle, json: boolean): Promise<void> {
  const { record, ended, missing, memo, run } = await runState(door, handle).catch(async (error: unknown) => {
    // Cut off in Temporal; yet its record may have been kept, or brought in, since.
    const cut = error instanceof DrError && error.code === 'RUN_CUT_OFF';
    const kept = cut ? await keptRecord(door.config, String(error.details['run'])) : undefined;
    if (!kept) throw error;
    return { record: kept, ended: true, missing: [], memo: undefined, run: kept.run };
  });
  const nowMs = Date.now();
  const summary = record ? summaryOf(record) : memoSummary(memo);
  const out = summary && outlook(summary, nowMs);
  const people = summary && door.config.deployments[summary.deployment];
  if (json) {
    const known = record ? withFigures(record) : { format: 'tyk-dr/run-summary/v1', run, ...summary };
    const more = { outlook: out ?? null, missingWorkers: missing, ...shown(people) };
    process.stdout.write(`${JSON.stringify({ version: 1, ...known, ...more }, undefined, 2)}\n`);
    return;
  }
  const lines = record ? liveTable(record, nowMs) : memoLines(run, summary);
  if (out && !ended) lines.push(`  forecast: ${outlookText(out, nowMs)}`);
  lines.push(...missingLines(missing), ...(record ? await lateFences(door, record) : []));
  for (const { at, actor } of record?.acknowledgements ?? [])
    lines.push(`  acknowledged by ${actor} at ${at}`);
  lines.push(...(people ? columns(contactRows(people), '  ') : []));
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Without a worker nobody can be asked: what the run itself left for this moment. */
function memoLines(run: string, summary: ReturnType<typeof memoSummary>): string[] {
  if (!summary) return [`RUNNING  ${run}`, '  it has not begun: no worker has taken it yet'];
  const { deployment, from, to, phase, done, of, waiting, paused } = summary;
  return [
    `no worker answers; from the run's own notes:`,
    `RUNNING  ${run}  ${deployment} from ${from} to ${to}`,
    `  phase ${phase}, ${done} of ${of} steps done when it last wrote`,
    ...(paused ? [`  ! paused by ${paused.actor} at ${paused.at}: ${paused.reason}`] : []),
    ...waiting.flatMap((step) => [
      `  ! ${step.step} waits for ${step.for}${step.error && `: ${step.error}`}`,
      ...outputLines(step.output),
    ]),
  ];
}
