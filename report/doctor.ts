import type { Finding, Severity } from '../domain/doctor.ts';

/** What the doctor found, worst first, each with what to do. */

const ORDER: readonly Severity[] = ['error', 'warning', 'ok'];
const MARKS: Readonly<Record<Severity, string>> = { error: 'ERROR', warning: 'WARN', ok: 'ok' };

export function doctorText(deployment: string, findings: readonly Finding[]): string {
  const count = (severity: Severity): number => findings.filter((each) => each.severity === severity).length;
  const sorted = ORDER.flatMap((severity) => findings.filter((each) => each.severity === severity));
  const idWidth = Math.max(0, ...findings.map(({ id }) => id.length));
  const whereWidth = Math.max(0, ...findings.map(({ where }) => where.length));
  const lines = sorted.flatMap(({ id, severity, where, message, hint }) => {
    const head = `${MARKS[severity].padEnd(5)}  ${id.padEnd(idWidth)}  ${where.padEnd(whereWidth)}`;
    return [`  ${head}  ${message}`, ...(hint === undefined ? [] : [`         hint: ${hint}`])];
  });
  const verdict = count('error') > 0 ? 'could NOT be recovered as it should' : 'ready to be recovered';
  return [
    `${deployment}: ${verdict} (${count('error')} errors, ${count('warning')} warnings, ${count('ok')} checks passed)`,
    ...lines,
  ].join('\n');
}
