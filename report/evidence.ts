import { answerControls, type ControlAnswer } from '../domain/control-map.ts';
import type { RenderEvidence } from '../domain/evidence.ts';
import type { RunRecord } from '../domain/run.ts';
import { htmlReport } from './html.ts';
import { inOrder, logLines, logOfRecord } from './log.ts';
import { textReport } from './text.ts';

/** The texts of an evidence pack. Pure. */

export const EVIDENCE_TEXTS: RenderEvidence = {
  report: (record: RunRecord) => ({
    'report.txt': `${textReport(record)}\n`,
    'report.html': `${htmlReport(record)}\n`,
    'logs/run.log': `${logLines(inOrder(logOfRecord(record, true))).join('\n')}\n`,
  }),
  contents: ({ members, absent, ...facts }) => {
    const answers = answerControls(facts);
    return {
      'CONTENTS.txt': contentsText(
        [...members, 'CONTENTS.txt', 'control-map.json', 'control-map.md'],
        absent,
      ),
      'control-map.json': `${JSON.stringify({ version: 1, run: facts.record.run, controls: answers }, undefined, 2)}\n`,
      'control-map.md': controlMapText(facts.record, answers),
    };
  },
};

const WHAT: readonly (readonly [RegExp, string])[] = [
  [/^CONTENTS\.txt$/, 'this list'],
  [/^record\.json$/, 'the record of the run: all that it knows of itself'],
  [/^report\.(txt|html)$/, 'the record as a report'],
  [/^history\.json$/, 'the history of the workflow in Temporal, its payloads readable'],
  [/^plan\.json$/, 'the plan; its SHA-256 is planDigest of the record'],
  [
    /^config\.json$/,
    'the configuration of the deployment: references to secrets, never secrets; of commands only the program',
  ],
  [/^approvals\//, 'approvals, each with what was signed and the signature'],
  [/^logs\/run\.log$/, 'what happened, in order'],
  [/^logs\/script\.jsonl$/, 'the log of the exported script'],
  [/^sets\/.*\/manifest\.json$/, 'the signed manifest of a set that was used'],
  [/^sets\/.*\/verified\.json$/, 'the signed proof that the set was restored and compared'],
  [/^sets\//, 'its signature'],
  [/^findings\.json$/, 'the findings of the run and what became of them'],
  [/^lessons\.json$/, 'lessons that were drawn from the run'],
  [/^control-map\./, 'which part answers which requirement, and what is missing'],
];

function contentsText(members: readonly string[], absent: readonly string[]): string {
  const width = Math.max(...members.map((name) => name.length));
  return [
    'What this pack holds. INDEX has the SHA-256 of every file; INDEX.sig signs INDEX.',
    '',
    ...[...members]
      .sort()
      .map((name) => `${name.padEnd(width)}  ${WHAT.find(([fits]) => fits.test(name))?.[1] ?? ''}`.trimEnd()),
    '',
    absent.length > 0 ? 'What it does not hold, and why:' : 'Nothing that belongs to it is missing.',
    ...absent.map((text) => `  ${text}`),
    '',
    'To verify it: tyk-dr evidence verify PACK --key ed25519:..., or by openssl and sha256sum alone:',
    '',
    '  openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in INDEX -sigfile INDEX.sig',
    '  sha256sum --check --strict INDEX',
    '',
    'docs/evidence.md of tyk-dr has the whole way, the chain of packs included.',
    '',
  ].join('\n');
}

function controlMapText({ run, deployment }: RunRecord, answers: readonly ControlAnswer[]): string {
  const count = (state: ControlAnswer['state']): number =>
    answers.filter((answer) => answer.state === state).length;
  return [
    `# Control map of ${run}, ${deployment}`,
    '',
    `Which part of this pack answers which requirement: ${count('present')} answered, ${count('partly')} in part, ${count('absent')} not. Requirements are in our words; whether an answer is enough is for the auditor to say.`,
    '',
    '| requirement | asks that | state | answered by | missing | elsewhere |',
    '| --- | --- | --- | --- | --- | --- |',
    ...answers.map(({ source, clause, asks, state, present, missing, elsewhere }) =>
      row([
        `${source}, ${clause}`,
        asks,
        state,
        present.map(({ what, where }) => `${what} (${where})`).join('; '),
        missing.map(({ what, why }) => `${what}: ${why}`).join('; '),
        elsewhere ?? '',
      ]),
    ),
    '',
  ].join('\n');
}

const row = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
