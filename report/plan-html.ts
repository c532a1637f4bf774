import { formatDuration } from '../domain/duration.ts';
import type { PlanDocument } from '../domain/plan-document.ts';
import { leftOutText } from '../domain/left-out.ts';
import { escape, row, table } from './html-parts.ts';
import { STYLE } from './html-style.ts';
import { pointText } from './plan-text.ts';

/** A plan as one self-contained page, to be read and signed off before the night that needs it. Pure. */

export function planHtml(document: PlanDocument): string {
  const { plan } = document;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(`plan: recover ${plan.deployment} on ${plan.to}`)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${[heading(document), cards(document), warnings(document), forecast(document), criteria(document), ...phases(document), leftOut(document)].filter(Boolean).join('\n')}
<footer>Plan ${escape(document.planDigest)}, configuration ${escape(document.configDigest.slice(0, 16))}. Times are UTC.</footer>
</main>
</body>
</html>`;
}

function heading({ plan }: PlanDocument): string {
  const where = plan.inPlace
    ? `<b>${escape(plan.to)}</b>, in place`
    : `from <b>${escape(plan.from)}</b> to <b>${escape(plan.to)}</b>`;
  return `<header>
<h1>PLAN</h1>
<p>Recovery of <b>${escape(plan.component ?? plan.deployment)}</b>${plan.component ? ` of ${escape(plan.deployment)}` : ''} ${where}, scenario ${escape(plan.scenario)}.</p>
<p>Tier ${escape(plan.tier)}; ${escape(pointText(plan))}${plan.configRef ? `; configuration from git ${escape(plan.configRef.ref)}, commit ${escape(plan.configRef.commit)}` : ''}.</p>
</header>`;
}

function cards({ plan, forecast: answer, steps }: PlanDocument): string {
  const expected = answer?.forecast.totalMs;
  const tone = expected === undefined ? 'fair' : expected <= plan.objectives.rtoMs ? 'good' : 'bad';
  const mutating = steps.filter(({ risk }) => risk === 'mutate').length;
  const card = (title: string, value: string, below: string, look = ''): string =>
    `<div class="card ${look}"><h2>${escape(title)}</h2><p class="value">${escape(value)}</p><p>${escape(below)}</p></div>`;
  return `<section class="cards">
${card('Forecast', expected === undefined ? 'not measured' : formatDuration(expected), 'from start to traffic', tone)}
${card('RTO', formatDuration(plan.objectives.rtoMs), 'from the disaster to the traffic')}
${card('RPO', formatDuration(plan.objectives.rpoMs), 'loss of data that is allowed')}
${card('Steps', String(steps.length), `${mutating} of them change something`)}
</section>`;
}

function warnings({ warnings: texts }: PlanDocument): string {
  if (texts.length === 0) return '';
  return `<section><h2>To know beforehand</h2><ul>${texts.map((text) => `<li>${escape(text)}</li>`).join('')}</ul></section>`;
}

function forecast({ forecast: answer, forecastMissing }: PlanDocument): string {
  if (!answer)
    return `<section><h2>Forecast</h2><p>Not measured: ${escape(forecastMissing ?? '')}</p></section>`;
  const { set, site, createdAt, verified, forecast: expected } = answer;
  const rows = expected.parts.map((part) =>
    row([part.name, formatDuration(part.durationMs), part.arithmetic]),
  );
  return `<section><h2>Forecast</h2>${table(['part', 'time', 'arithmetic'], rows)}
<p>From set <code>${escape(set)}</code> of ${escape(site)}, taken ${escape(createdAt)}, ${verified ? 'verified by a restore' : '<b>NOT verified by a restore</b>'}.</p></section>`;
}

function criteria({ plan }: PlanDocument): string {
  const rows = (plan.criteria ?? []).map(({ id, limit }) => row([id, limit]));
  return rows.length === 0
    ? ''
    : `<section><h2>Criteria, fixed with this plan</h2>${table(['criterion', 'what must hold at the end'], rows)}</section>`;
}

function phases(document: PlanDocument): string[] {
  return document.phases.map(({ phase, budgetMs }) => {
    const rows = document.steps
      .filter((step) => step.phase === phase)
      .map((step) =>
        row([
          String(step.group),
          step.id,
          step.workers.join(', '),
          step.approval ? `${step.purpose} Waits for ${step.approval}.` : step.purpose,
          step.risk === 'probe' ? 'nothing: it reads' : step.overwrites.join('; '),
          step.proof,
        ]),
      );
    return `<section><h2>${escape(phase)}, at most ${formatDuration(budgetMs)}</h2>${table(['order', 'step', 'worker', 'what for', 'what it changes', 'what proves it'], rows)}</section>`;
  });
}

function leftOut({ plan }: PlanDocument): string {
  const rows = Object.entries(plan.leftOut).map(([id, why]) =>
    row([id, leftOutText(plan, { notPartOf: why })]),
  );
  return rows.length === 0 ? '' : `<section><h2>Left out</h2>${table(['step', 'why'], rows)}</section>`;
}
