import type { BackupResult, PruneResult } from '../domain/backup.ts';
import { formatBytes, formatDuration } from '../domain/duration.ts';
import type { StepResult } from '../domain/run.ts';
import { pruneText } from './backup-keep.ts';

/** How the end of a workflow around backup sets is told: text for people, one object for programs. */

/** The result of a workflow around backup sets, by its name. Undefined where the person let go of it. */
export function writeResult(
  workflow: string,
  result: StepResult | BackupResult | undefined,
  json = false,
): void {
  if (result === undefined) return;
  const text = json ? JSON.stringify({ version: 1, ...result }, undefined, 2) : textOf(workflow, result);
  process.stdout.write(`${text}\n`);
  if (!('warnings' in result)) return;
  for (const warning of result.warnings ?? []) process.stderr.write(`warning: ${warning}\n`);
}

function textOf(workflow: string, result: StepResult | BackupResult): string {
  if (workflow === 'backup') return resultText(result as BackupResult);
  return workflow === 'prune' ? pruneText(result as PruneResult) : (result as StepResult).summary;
}

function offSite({ copies = [] }: BackupResult): string {
  return copies.length > 0 ? `; off-site at ${copies.join(', ')}` : '';
}

/** Each step was told when it ended. */
function resultText(result: BackupResult): string {
  const totalMs = Date.parse(result.endedAt) - Date.parse(result.startedAt);
  const what = result.belongsTo === undefined ? 'backup set' : 'snapshot';
  return [
    `${what} ${result.set} of ${result.site}: ${result.verified ? 'complete and verified by a restore' : 'complete, NOT verified'}${offSite(result)}`,
    `  ${formatBytes(result.bytes)} sealed, in ${formatDuration(totalMs)}`,
    ...(result.belongsTo === undefined ? [] : [`  used with set ${result.belongsTo}`]),
  ].join('\n');
}
