import type { RunRecord } from '../domain/run.ts';
import { escape, row, table } from './html-parts.ts';

/** What people decided, and what the tools had said when they were asked. Pure. */

export function decisions(record: RunRecord): string {
  return [made(record), said(record)].filter(Boolean).join('\n');
}

function made(record: RunRecord): string {
  if (record.decisions.length === 0) return '';
  const rows = record.decisions.map(({ at, kind, step, actor, reason, result }) =>
    row([at, kind, step, `${actor} (asserted, not proven)`, reason, result ?? '']),
  );
  return `<section><h2>Decisions</h2>${table(['at (UTC)', 'decision', 'step', 'who', 'why', 'what came of it'], rows)}</section>`;
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
