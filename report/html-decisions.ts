import { identityText } from '../domain/approvals.ts';
import { waitedTexts } from '../domain/clock.ts';
import { formatDuration } from '../domain/duration.ts';
import type { RunRecord } from '../domain/run.ts';
import { escape, row, table } from './html-parts.ts';

/** What people decided, and what the tools had said when they were asked. Pure. */

export function decisions(record: RunRecord): string {
  return [made(record), approved(record), waits(record), said(record)].filter(Boolean).join('\n');
}

function made(record: RunRecord): string {
  if (record.decisions.length === 0) return '';
  const rows = record.decisions.map(({ at, kind, step, actor, reason, result }) =>
    row([at, kind, step, `${actor} (asserted, not proven)`, reason, result ?? '']),
  );
  return `<section><h2>Decisions</h2>${table(['at (UTC)', 'decision', 'step', 'who', 'why', 'what came of it'], rows)}</section>`;
}

function approved({ approvals = [], refusedApprovals = [] }: RunRecord): string {
  if (approvals.length + refusedApprovals.length === 0) return '';
  const rows = [
    ...approvals.map((given) => row([given.at, given.step, given.actor, given.reason, identityText(given)])),
    ...refusedApprovals.map(({ at, step, actor, reason, why }) =>
      row([at, step, actor, reason, `REFUSED: ${why}`], 'fail'),
    ),
  ];
  return `<section><h2>Approvals</h2>${table(['at (UTC)', 'step', 'who', 'why', 'identity'], rows)}</section>`;
}

/** Part of the RTO, and shown apart from it. */
function waits(record: RunRecord): string {
  if (record.waits.length === 0) return '';
  const nowMs = Date.parse(record.endedAt ?? record.waits.at(-1)!.from);
  const rows = record.waits.map((wait) =>
    row([
      wait.from,
      wait.until ?? '',
      wait.until ? formatDuration(Date.parse(wait.until) - Date.parse(wait.from)) : '',
      wait.kind ?? 'decision',
      wait.for,
      wait.escalatedAt ? `escalated ${wait.escalatedAt}` : '',
    ]),
  );
  return `<section><h2>Waited for people: ${escape(waitedTexts(record, nowMs).join(', ') || 'no time')}</h2>${table(['from (UTC)', 'until', 'time', 'kind', 'for', ''], rows)}</section>`;
}

function said(record: RunRecord): string {
  const blocks = record.steps
    .filter(({ error }) => error?.output)
    .map(
      ({ id, error }) =>
        `<h3>${escape(id)}: ${escape(error!.message)}</h3><pre>${escape(error!.output!)}</pre>`,
    );
  if (blocks.length === 0) return '';
  return `<section><h2>What the tools of failed steps said last</h2>${blocks.join('\n')}</section>`;
}
