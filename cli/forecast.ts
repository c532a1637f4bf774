import { randomBytes } from 'node:crypto';
import { formatDuration } from '../domain/duration.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import type { ForecastAnswer, RecoverPlan } from '../domain/plan.ts';
import { snapshotText } from '../domain/snapshot-text.ts';
import { forecastLines } from '../report/forecast.ts';
import { pointLines } from '../report/points.ts';
import type { forecast } from '../workflows/index.ts';
import { BRIEF_TASK_TIMEOUT_MS, type Door } from './client.ts';

/** Said before the start: from which set, and how long it should take. It refuses nothing; the run itself does. */

const FORECAST_DEADLINE_MS = 5_000;

export async function showForecast(door: Door, plan: RecoverPlan): Promise<void> {
  const lines = await askForecast(door, plan).then(answerLines, () => [
    'forecast: not measured (no set could be read; the run will say why)',
  ]);
  process.stderr.write(`${lines.join('\n')}\n`);
}

export function askForecast(door: Door, plan: RecoverPlan): Promise<ForecastAnswer> {
  return door.client.workflow.execute<typeof forecast>('forecast', {
    workflowId: `forecast/${plan.deployment}/${randomBytes(4).toString('hex')}`,
    taskQueue: WORKFLOW_QUEUE,
    args: [plan],
    workflowExecutionTimeout: FORECAST_DEADLINE_MS,
    workflowTaskTimeout: BRIEF_TASK_TIMEOUT_MS,
    staticSummary: `How long would it take to recover ${plan.deployment} on ${plan.to}?`,
  });
}

function answerLines(answer: ForecastAnswer): string[] {
  const { set, site, createdAt, verified, snapshots, points, forecast: expected } = answer;
  return [
    `from set ${set} of ${site}, taken ${createdAt}, ${verified ? 'verified by a restore' : 'NOT verified by a restore'}`,
    ...snapshots.map(snapshotText),
    ...(points.length > 0 ? ['points of the stores', ...pointLines(points)] : []),
    `forecast: ${formatDuration(expected.totalMs)}`,
    ...forecastLines(expected),
  ];
}
