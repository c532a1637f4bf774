import { SEVERITY_NAMES, type Severity } from './findings.ts';
import { jsonOf } from './json.ts';
import type { EntryOf, ImportedFinding } from './journal.ts';
import { isPlain } from './plain-text.ts';

/** Findings of others: errors of the doctor, and the list of an auditor. Pure. */

type Imported = Pick<EntryOf<'imported'>, 'source' | 'by' | 'findings' | 'passed'>;

/** @returns what was read, or why nothing was. */
export function importedFindings(text: string, deployment: string): Imported | string {
  const document = jsonOf(text) as { deployments?: unknown; findings?: unknown } | undefined | null;
  if (typeof document !== 'object' || document === null) return 'it is no JSON document';
  if (Array.isArray(document.deployments)) return ofDoctor(document.deployments, deployment);
  if (Array.isArray(document.findings)) return ofAudit(document as { findings: unknown[] });
  return 'it has neither deployments, as doctor --json writes them, nor findings';
}

/** Errors become findings; a check that was well everywhere may close one. */
function ofDoctor(deployments: readonly unknown[], name: string): Imported | string {
  const own = deployments.find((each) => (each as { deployment?: unknown } | null)?.deployment === name);
  const listed = (own as { findings?: unknown } | undefined)?.findings;
  if (!Array.isArray(listed)) return `it has nothing of the deployment ${name}`;
  const errors = new Map<string, string[]>();
  const well = new Set<string>();
  for (const each of listed as Record<string, unknown>[]) {
    const { id, severity, where, message } = each ?? {};
    if (![id, severity, where, message].every((field) => typeof field === 'string'))
      return 'a finding of the doctor lacks id, severity, where or message';
    const check = `doctor/${String(id)}/${String(where)}`;
    if (severity === 'ok') well.add(check);
    if (severity === 'error') errors.set(check, [...(errors.get(check) ?? []), line(String(message))]);
  }
  return {
    ...{ source: 'doctor', by: name },
    findings: [...errors].map(([check, texts]) => ({ check, severity: 'high', text: texts.join('; ') })),
    passed: [...well].filter((check) => !errors.has(check)),
  };
}

function ofAudit(document: { findings: unknown[]; auditor?: unknown }): Imported | string {
  const { auditor, findings: listed } = document;
  if (typeof auditor !== 'string' || !isPlain(auditor) || auditor === '')
    return 'auditor is missing; expected who audited';
  const findings: ImportedFinding[] = [];
  for (const [index, each] of (listed as Record<string, unknown>[]).entries()) {
    const { reference, severity, text } = each ?? {};
    if (typeof reference !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/.test(reference))
      return `findings[${index}].reference is missing; expected letters, digits, dots and dashes, at most 40`;
    if (typeof text !== 'string' || text.trim() === '')
      return `findings[${index}].text is missing; expected what was found`;
    if (!(SEVERITY_NAMES as readonly unknown[]).includes(severity))
      return `findings[${index}].severity is '${String(severity)}'; expected one of ${SEVERITY_NAMES.join(', ')}`;
    findings.push({ check: `audit/${reference}`, severity: severity as Severity, text: line(text) });
  }
  return { source: 'audit', by: auditor, findings, passed: [] };
}

const MOST = 1000;
/** One line, and nothing in it that moves a cursor. */
const line = (text: string): string =>
  [...text.replaceAll(/\s+/g, ' ')]
    .filter((letter) => isPlain(letter))
    .join('')
    .slice(0, MOST);
