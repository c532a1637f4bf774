import { formatDuration } from '../domain/duration.ts';
import type { PlanDocument, PlannedStep } from '../domain/plan-document.ts';

/** What one plan has that another has not, a line each: `+` is new, `-` is gone, `~` is different. Pure. */

/** @returns no line at all where both would do the same */
export function planDiff(old: PlanDocument, now: PlanDocument): string[] {
  const lines: string[] = [];
  const changed = (what: string, before: unknown, after: unknown): void => {
    if (text(before) !== text(after)) lines.push(`~ ${what}: ${text(before)} -> ${text(after)}`);
  };
  for (const key of SCALARS) changed(key, old.plan[key], now.plan[key]);
  changed('RTO', formatDuration(old.plan.objectives.rtoMs), formatDuration(now.plan.objectives.rtoMs));
  changed('RPO', formatDuration(old.plan.objectives.rpoMs), formatDuration(now.plan.objectives.rpoMs));
  changed('configuration from', old.plan.configRef?.commit, now.plan.configRef?.commit);
  changed('configuration digest', old.configDigest.slice(0, 16), now.configDigest.slice(0, 16));
  changed('set', old.forecast?.set, now.forecast?.set);
  changed('forecast', total(old), total(now));
  lines.push(...listChanges('warning', old.warnings, now.warnings));
  const before = new Map(old.steps.map((step) => [step.id, step]));
  for (const step of now.steps) {
    const then = before.get(step.id);
    if (then === undefined) lines.push(`+ step ${step.id} on ${step.workers.join(', ')}`);
    else lines.push(...stepChanges(then, step));
    before.delete(step.id);
  }
  for (const id of before.keys())
    lines.push(`- step ${id}${now.plan.leftOut[id] ? ` (left out: ${now.plan.leftOut[id]})` : ''}`);
  return lines;
}

const SCALARS = [
  ...(['deployment', 'tier', 'from', 'to', 'component', 'scenario', 'inPlace'] as const),
  ...(['backup', 'backupBefore', 'point', 'onFailure'] as const),
];

function stepChanges(then: PlannedStep, now: PlannedStep): string[] {
  const changes: string[] = [];
  for (const key of ['after', 'workers', 'risk', 'approval', 'undo', 'limitMs', 'purpose', 'proof'] as const)
    if (text(then[key]) !== text(now[key]))
      changes.push(`~ step ${now.id}, ${key}: ${text(then[key])} -> ${text(now[key])}`);
  return [...changes, ...listChanges(`step ${now.id}`, then.overwrites, now.overwrites)];
}

function listChanges(what: string, then: readonly string[], now: readonly string[]): string[] {
  return [
    ...now.filter((item) => !then.includes(item)).map((item) => `+ ${what}: ${item}`),
    ...then.filter((item) => !now.includes(item)).map((item) => `- ${what}: ${item}`),
  ];
}

function total({ forecast }: PlanDocument): string {
  return forecast ? formatDuration(forecast.forecast.totalMs) : 'not measured';
}

function text(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
