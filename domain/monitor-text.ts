import { formatDuration } from './duration.ts';
import type { Acted, Heal, MonitorSummary } from './monitor.ts';

/** What the monitor shows, in words: for a terminal, Temporal's UI and notices. Pure. */

/** @param at now, UTC ISO */
export function monitorLines(summary: MonitorSummary, at: string): string[] {
  const { deployment, state, since, serving, reasons, observers, quorum, held, paused, acted, heals } =
    summary;
  const long = formatDuration(Math.max(0, Date.parse(at) - Date.parse(since)));
  return [
    `${deployment}: ${state} for ${long}, since ${since}${serving === undefined ? '' : `; ${serving} serves`}`,
    ...reasons.map((reason) => `  ${reason}`),
    `  observers, of which ${quorum} must agree: ${observers.map(({ observer, sees }) => `${observer} (${seesText(sees)})`).join(', ')}`,
    ...(paused ? [`  paused by ${paused.actor} until ${paused.until}: ${paused.reason}`] : []),
    ...(held === undefined ? [] : [`  ${held} is under way: no decision is taken until it has ended`]),
    ...(acted ? [`  ${actedText(acted)}`] : []),
    ...heals.map((heal) => `  ${healText(heal)}`),
  ];
}

/** The same in one line. */
export function monitorLine({ state, since, serving, reasons, paused, acted }: MonitorSummary): string {
  return [
    `${serving ?? 'the site'} is ${state} since ${since}`,
    ...(acted ? [actedText(acted)] : []),
    ...(paused ? [`paused until ${paused.until}`] : []),
    ...reasons.slice(0, 1),
  ].join('; ');
}

function seesText(sees: string): string {
  switch (sees) {
    case 'up':
      return 'clients are served';
    case 'down':
      return 'clients are not served';
    case 'unseen':
      return 'no clients’ address to look at';
    default:
      return sees;
  }
}

export function actedText({ what, at, run, why }: Acted): string {
  const reason = why === undefined ? '' : ` (${why})`;
  switch (what) {
    case 'notify':
      return `people were told at ${at}${reason}`;
    case 'propose':
      return `${run} was opened at ${at} and waits for its approval${reason}`;
    case 'start':
      return `${run} was started at ${at}${reason}`;
  }
}

function healText({ names, run, at, curedAt }: Heal): string {
  const end = curedAt === undefined ? 'not seen alive since' : `alive again at ${curedAt}`;
  return `${names.join(', ')} started again at ${at} (${run}): ${end}`;
}
