import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { DrError } from '../domain/errors.ts';
import {
  closingProblem,
  FINDING_STATES,
  SEVERITY_NAMES,
  type Finding,
  type FindingState,
  type Severity,
} from '../domain/findings.ts';
import { importedFindings } from '../domain/import-findings.ts';
import { findingLines } from '../report/findings.ts';
import {
  actorArgument,
  choice,
  dayArgument,
  fileArgument,
  findingArgument,
  nameArgument,
  numberArgument,
  runArgument,
  textArgument,
} from './arguments.ts';
import { openImprovement, requireFinding, requireRecord, say, type Improvement } from './journal.ts';

/** `tyk-dr findings`: what runs and audits have found, who owns it, and what became of it. */

export function registerFindings(program: Command, config: () => string | undefined): void {
  const command = program
    .command('findings')
    .description('What runs, the doctor and audits have found: owners, due dates, accepted risks, closing');
  registerFindingsList(command, config);
  const about = (name: string, help: string): Command =>
    command
      .command(name)
      .description(help)
      .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
      .argument('<finding>', 'as findings list shows it', findingArgument('FINDING'))
      .option('--actor <name>', 'who says so; default the login name', actorArgument('--actor'))
      .option('--json', 'the finding as JSON');
  about('assign', 'Give a finding an owner, a due date, another severity')
    .requiredOption('--owner <name>', 'who sees to it', actorArgument('--owner'))
    .option('--due <day>', 'by when', dayArgument('--due'))
    .option('--severity <severity>', 'how bad it is', choice('--severity', SEVERITY_NAMES))
    .action(async (name: string, id: string, options: AssignOptions) => {
      const { owner, due, severity } = options;
      await decide(config(), name, id, options, (improvement, finding) =>
        say(
          improvement,
          {
            ...{ kind: 'assigned', finding: finding.id, owner },
            ...(due === undefined ? {} : { due }),
            ...(severity === undefined ? {} : { severity }),
          },
          options.actor,
        ),
      );
    });
  about('accept', 'Accept the risk of a finding until a day; then it is open again')
    .requiredOption('--by <name>', 'who bears the risk', actorArgument('--by'))
    .requiredOption('--until <day>', 'until the end of this day', dayArgument('--until'))
    .requiredOption('--reason <text>', 'why', textArgument('--reason'))
    .action(async (name: string, id: string, options: AcceptOptions) => {
      const { by, until, reason } = options;
      await decide(config(), name, id, options, (improvement, finding) =>
        say(improvement, { kind: 'accepted', finding: finding.id, by, until, reason }, options.actor),
      );
    });
  about('close', 'Close a finding: with a later run in which the same check passed')
    .requiredOption('--run <run>', 'the id of that run', runArgument('--run'))
    .requiredOption('--reason <text>', 'what was done about it', textArgument('--reason'))
    .action(async (name: string, id: string, options: CloseOptions) => {
      const { run, reason } = options;
      await decide(config(), name, id, options, (improvement, finding) => {
        const record = requireRecord(improvement, run);
        const answer = closingProblem(finding, record, improvement.entries);
        if ('problem' in answer)
          throw new DrError('FINDING_NOT_PASSED', { run, finding: finding.id, reason: answer.problem });
        const runAt = record.endedAt ?? new Date().toISOString();
        const { basis } = answer;
        return say(
          improvement,
          { kind: 'closed', finding: finding.id, run, runAt, reason, basis },
          options.actor,
        );
      });
    });
  registerFindingsImport(command, config);
}

interface Common {
  readonly actor?: string;
  readonly json?: boolean;
}
interface AssignOptions extends Common {
  readonly owner: string;
  readonly due?: string;
  readonly severity?: Severity;
}
interface AcceptOptions extends Common {
  readonly by: string;
  readonly until: string;
  readonly reason: string;
}
interface CloseOptions extends Common {
  readonly run: string;
  readonly reason: string;
}

async function decide(
  configPath: string | undefined,
  name: string,
  id: string,
  { json }: Common,
  act: (improvement: Improvement, finding: Finding) => Promise<unknown>,
): Promise<void> {
  const improvement = await openImprovement(configPath, name);
  const finding = requireFinding(improvement, id);
  if (finding.closure) throw new DrError('FINDING_CLOSED', { finding: finding.id, run: finding.closure.run });
  await act(improvement, finding);
  show([requireFinding(await openImprovement(configPath, name), id)], json);
}

function show(findings: readonly Finding[], json: boolean | undefined): void {
  process.stdout.write(
    json
      ? `${JSON.stringify({ version: 1, findings }, undefined, 2)}\n`
      : `${findings.length > 0 ? findingLines(findings).join('\n') : 'no such finding'}\n`,
  );
}

interface ListOptions {
  readonly state: FindingState | 'overdue' | 'all';
  readonly owner?: string;
  readonly severity?: Severity;
  readonly limit: number;
  readonly json?: boolean;
}

function registerFindingsList(command: Command, config: () => string | undefined): void {
  command
    .command('list', { isDefault: true })
    .description('The findings of a deployment, the most urgent first')
    .argument(
      '[deployment]',
      'as named under deployments:; may be left out where there is one',
      nameArgument('DEPLOYMENT'),
    )
    .option(
      '--state <state>',
      `${FINDING_STATES.join(', ')}, overdue, all`,
      choice('--state', [...FINDING_STATES, 'overdue', 'all']),
      'open',
    )
    .option('--owner <name>', 'only those of this owner', actorArgument('--owner'))
    .option('--severity <severity>', 'only those', choice('--severity', SEVERITY_NAMES))
    .option('--limit <count>', 'at most so many', numberArgument('--limit', 1, 10_000), 100)
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, { state, owner, severity, limit, json }: ListOptions) => {
      const { findings } = await openImprovement(config(), name);
      const fitting = findings.filter(
        (each) =>
          (state === 'all' || (state === 'overdue' ? each.overdue : each.state === state)) &&
          (owner === undefined || each.owner === owner) &&
          (severity === undefined || each.severity === severity),
      );
      show(fitting.slice(0, limit), json);
      if (fitting.length > limit) process.stderr.write(`note: ${fitting.length - limit} more: --limit\n`);
    });
}

function registerFindingsImport(command: Command, config: () => string | undefined): void {
  command
    .command('import')
    .description("Take the errors of a doctor --json, or an auditor's list, as findings")
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .argument(
      '<file>',
      'output of tyk-dr doctor --json, or a list as docs/findings.md has it',
      fileArgument('FILE'),
    )
    .option('--actor <name>', 'who says so; default the login name', actorArgument('--actor'))
    .option('--json', 'as JSON')
    .action(async (name: string, file: string, { actor, json }: Common) => {
      const improvement = await openImprovement(config(), name);
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        throw new DrError('IMPORT_REFUSED', { file, reason: `it cannot be read (${error.code})` });
      });
      const read = importedFindings(text, name);
      if (typeof read === 'string') throw new DrError('IMPORT_REFUSED', { file, reason: read });
      await say(improvement, { kind: 'imported', ...read }, actor);
      const { findings } = await openImprovement(config(), name);
      const checks = new Set(read.findings.map(({ check }) => check));
      show(
        findings.filter(({ check, state }) => checks.has(check) && state !== 'closed'),
        json,
      );
      if (!json)
        process.stderr.write(
          `${read.findings.length} findings, ${read.passed.length} checks that were well\n`,
        );
    });
}
