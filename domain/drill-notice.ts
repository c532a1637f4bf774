import type { Severity } from './notice.ts';
import type { RunRecord } from './run.ts';
import type { RunNotice } from './tell.ts';

/** News of a rehearsal: whoever reads half a line of it knows that nothing has happened. Pure. */

/** What people must act on for the rehearsal to go on keeps its urgency: that they are reached is rehearsed as well. */
const KEEPS_SEVERITY: readonly string[] = ['approval-wanted', 'decision-wanted'];
const AT_MOST: Readonly<Record<Severity, Severity>> = {
  ...{ info: 'info', warning: 'warning', error: 'warning', critical: 'warning' },
};

export function asDrill(record: RunRecord, told: RunNotice): RunNotice {
  const { id, notice } = told;
  const title = notice.title.replace(/^tyk-dr: /, '');
  // The one thing about a drill that is an emergency.
  if (id === 'outcome' && record.drill?.untouched?.verdict === 'fail')
    return {
      id,
      notice: {
        ...notice,
        severity: 'critical',
        title: `tyk-dr: A DRILL FOUND ${record.from} CHANGED: ${title}`,
      },
    };
  const { opens, ...rest } = notice;
  const keeps = KEEPS_SEVERITY.includes(notice.event);
  return {
    id,
    notice: {
      ...(keeps && opens !== undefined ? { ...rest, opens } : rest),
      severity: keeps ? notice.severity : AT_MOST[notice.severity],
      title: `tyk-dr: DRILL: ${title}`,
      lines: [`A rehearsal: ${record.from} serves as before, nobody is affected.`, ...notice.lines],
    },
  };
}
