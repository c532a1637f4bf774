import { Context } from '@temporalio/activity';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { reviewFacts, type ReviewFacts } from '../adapters/backup/review-facts.ts';
import { standbySeen } from '../adapters/temporal/last-watch.ts';
import type { StandbySeen } from '../domain/watched.ts';
import { newestConfig } from '../adapters/versioned/newest-config.ts';
import type { ConfigFiles } from '../domain/tyk-defaults.ts';
import { readImprovement, type KnownImprovement } from '../adapters/backup/improvement.ts';
import { planDigest } from '../adapters/config/digest.ts';
import { writeDurably } from '../adapters/files/durable.ts';
import type { PaperInput, WrittenPaper } from '../domain/calendar-messages.ts';
import type { Deployment } from '../domain/config.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import { quarterAt, type Quarter } from '../domain/quarter.ts';
import type { Deps } from './guard.ts';
import { asActivity } from './to-failure.ts';

/** What the calendar writes by itself: the review of a quarter, and the handbook. Both lie beside the backup sets. */

export interface PaperFacts {
  readonly name: string;
  readonly deployment: Deployment;
  readonly known: KnownImprovement;
  /** UTC ISO. */
  readonly now: string;
}

/** Makes the texts; given by whoever may see `report/`. By the ending of the file's name. */
export interface PaperMakers {
  review(facts: PaperFacts, quarter: Quarter, more: ReviewFacts): Readonly<Record<string, string>>;
  handbook(facts: PaperFacts, settings: ConfigFiles, standby: StandbySeen): Readonly<Record<string, string>>;
}

const STANDBY_LIMIT_MS = 5_000;

/** A review that is due at the beginning of a quarter is that of the one before. */
const LOOKS_BACK_MS = 45 * 86_400_000;

export function createPaperActivities(deps: Deps, makers: PaperMakers) {
  return {
    'write-paper': ({ deployment: name, kind, dueAt }: PaperInput): Promise<WrittenPaper> =>
      asActivity(async () => {
        const deployment = deps.deployment(name);
        const now = new Date().toISOString();
        const facts = { name, deployment, now, known: await readImprovement(deployment, name, now) };
        const folder = (of: string): string => join(deployment.backup.repository, name, of);
        if (kind === 'handbook')
          return {
            files: await keepAll(
              folder('handbook'),
              'handbook',
              makers.handbook(
                facts,
                await newestConfig(name, deployment),
                await standbySeen(Context.current().client, name, STANDBY_LIMIT_MS),
              ),
            ),
          };
        const quarter = quarterAt(new Date(Date.parse(dueAt) - LOOKS_BACK_MS).toISOString());
        const more = await reviewFacts(name, deployment, facts.known.entries);
        const files = await keepAll(folder('reviews'), quarter.name, makers.review(facts, quarter, more));
        return { files, quarter: quarter.name };
      }),
    /** The plan of a scheduled drill is compiled in its workflow, where there is no SHA-256. */
    'digest-plan': (plan: RecoverPlan): Promise<string> => asActivity(() => planDigest(plan)),
  };
}

async function keepAll(
  folder: string,
  name: string,
  texts: Readonly<Record<string, string>>,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  for (const [ending, text] of Object.entries(texts)) {
    const file = join(folder, `${name}.${ending}`);
    await writeDurably(file, text, 0o644);
    files.push(file);
  }
  return files;
}
