import type { Command } from 'commander';
import { configDigest, planDigest } from '../adapters/config/digest.ts';
import { loadConfig } from '../adapters/config/load.ts';
import type { Deployment } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { ForecastAnswer, RecoverPlan } from '../domain/plan.ts';
import type { PlanDocument } from '../domain/plan-document.ts';
import { planDiff } from '../report/plan-diff.ts';
import { planHtml } from '../report/plan-html.ts';
import { planText } from '../report/plan-text.ts';
import { compilePlan } from '../runbooks/plan.ts';
import { planDocument } from '../runbooks/plan-document.ts';
import { choice, fileArgument, nameArgument } from './arguments.ts';
import { deploymentOf, withDoor } from './client.ts';
import { withConfigRef } from './config-ref.ts';
import { exitWithDifference } from './exit.ts';
import { askForecast } from './forecast.ts';
import { earlierPlan } from './plan-earlier.ts';
import { requestOf, withPlanOptions, type PlanOptions } from './plan-request.ts';
import { shapeOf } from '../runbooks/shape-of.ts';

/** `tyk-dr plan`: the plan that recover would run, without running it. It needs no worker; a forecast does. */

const FORMATS = ['text', 'json', 'html'] as const;

interface Options extends PlanOptions {
  readonly format: (typeof FORMATS)[number];
  readonly json?: boolean;
  readonly diff?: string;
  /** `--no-forecast` */
  readonly forecast: boolean;
}

export function registerPlan(program: Command, config: () => string | undefined): void {
  withPlanOptions(
    program
      .command('plan')
      .description('Show what recover would do, step by step, without doing it')
      .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT')),
  )
    .option('--format <format>', FORMATS.join(', '), choice('--format', FORMATS), 'text')
    .option('--json', 'the same as --format json')
    .option('--no-forecast', 'do not ask a worker how long it would take')
    .option(
      '--diff <old>',
      'only what is different from an earlier plan: a file of --format json, or a run id; exits 3 where something is',
      fileArgument('--diff'),
    )
    .action(async (name: string, options: Options) => showPlan(config(), name, options));
}

async function showPlan(configPath: string | undefined, name: string, options: Options): Promise<void> {
  const deployment = deploymentOf(await loadConfig(configPath), name);
  const compiled = compilePlan(shapeOf(name, deployment), requestOf(options));
  const plan =
    options.configRef === undefined
      ? compiled
      : await withDoor(configPath, (door) => withConfigRef(door, deployment, compiled, options.configRef));
  const document = planDocument(plan, {
    planDigest: planDigest(plan),
    configDigest: configDigest(deployment),
    deployment,
    forecast: options.forecast ? await forecastOf(configPath, plan) : 'not asked for',
  });
  const format = options.json ? 'json' : options.format;
  if (options.diff !== undefined) return showDiff(configPath, deployment, document, options.diff, format);
  const render = { text: planText, html: planHtml, json: asJson }[format];
  process.stdout.write(`${render(document)}\n`);
}

async function showDiff(
  configPath: string | undefined,
  deployment: Deployment,
  now: PlanDocument,
  old: string,
  format: Options['format'],
): Promise<void> {
  if (format === 'html')
    throw new DrError('BAD_ARGUMENT', {
      argument: '--format',
      value: format,
      expected: 'text or json with --diff',
    });
  const before = await earlierPlan(configPath, deployment, old);
  const changes = planDiff(before, now);
  if (changes.length > 0) exitWithDifference();
  if (format === 'json') {
    const digests = { old: before.planDigest, new: now.planDigest };
    process.stdout.write(`${asJson({ version: 1, planDigest: digests, changes })}\n`);
  } else if (changes.length === 0) process.stdout.write('nothing has changed\n');
  else process.stdout.write(`${changes.join('\n')}\n`);
}

async function forecastOf(
  configPath: string | undefined,
  plan: RecoverPlan,
): Promise<ForecastAnswer | string> {
  try {
    return await withDoor(configPath, (door) => askForecast(door, plan));
  } catch (error) {
    if (error instanceof DrError) return error.message;
    return 'no worker could read a set; tyk-dr doctor says why';
  }
}

function asJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}
