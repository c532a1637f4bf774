import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatDuration } from '../../domain/duration.ts';
import type { Step } from '../../domain/step.ts';
import { code, page, section, table } from './markdown.ts';

/** Some runbooks have no phases, or let their workflow say where a step runs. */
type StepRow = Omit<Step, 'phase' | 'where'> & Partial<Pick<Step, 'phase' | 'where'>>;

export interface Runbook {
  /** The stem: also the command, the workflow and the title of the report. */
  readonly name: string;
  readonly introduction: string;
  readonly steps: readonly StepRow[];
}

/** Every module below the folder that exports a table of steps, `X_STEPS`. */
export async function readRunbooks(folder: string): Promise<Runbook[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ts')).sort();
  const runbooks = await Promise.all(files.map((file) => readRunbook(join(folder, file), file.slice(0, -3))));
  return runbooks.filter((runbook) => runbook !== undefined);
}

async function readRunbook(path: string, name: string): Promise<Runbook | undefined> {
  const module = (await import(path)) as Readonly<Record<string, unknown>>;
  const exported = Object.keys(module).find((key) => key.endsWith('_STEPS'));
  if (exported === undefined) return undefined;
  const comment = /\/\*\*([\s\S]*?)\*\//.exec(await readFile(path, 'utf8'))?.[1] ?? '';
  const introduction = comment.replace(/^\s*\* ?/gm, '').trim();
  return { name, introduction, steps: module[exported] as readonly StepRow[] };
}

/** One section a runbook, one row a step. */
export function runbooksPage(runbooks: readonly Runbook[]): string {
  return page(
    'Runbooks',
    'A step starts when those named under *after* have ended; what that leaves open runs at the same time. `probe` ' +
      'steps only read; `mutate` steps look first, then act, and may be repeated. The limit only catches what hangs.',
    runbooks.map(({ name, introduction, steps }) => section(name, introduction, stepTable(steps))),
  );
}

/** The columns that any step of the runbook has something to say in. */
function stepTable(steps: readonly StepRow[]): string {
  const columns = Object.entries(COLUMNS).filter(([, cell]) => steps.some((step) => cell(step) !== ''));
  return table(
    columns.map(([title]) => title),
    steps.map((step) => columns.map(([, cell]) => cell(step))),
  );
}

const COLUMNS: Readonly<Record<string, (step: StepRow) => string>> = {
  step: ({ id }) => code(id),
  phase: ({ phase }) => phase ?? '',
  after: ({ after }) => after.map(code).join(', '),
  risk: ({ risk }) => risk,
  'runs on': ({ where }) => where ?? '',
  purpose: ({ purpose }) => purpose,
  proof: ({ proof }) => proof,
  limit: ({ limitMs }) => formatDuration(limitMs),
  undo: ({ undo }) => (undo === undefined ? '' : code(undo)),
  'may be': ({ skippable, byHand }) =>
    [
      ...(skippable ? ['skipped'] : []),
      ...(byHand === undefined ? [] : [`made by hand (${code(byHand)} sees it)`]),
    ].join(', '),
};
