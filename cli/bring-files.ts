import type { FilesBrought } from '../domain/backup.ts';
import { knownSite } from '../domain/known-site.ts';
import { filesId } from '../domain/messages.ts';
import { requireReplicated } from '../runbooks/failover-plan.ts';
import type { DeploymentShape } from '../runbooks/shape.ts';
import type { bringFiles } from '../workflows/index.ts';
import { backupInput, executeBackup } from './backup-run.ts';
import type { Door } from './client.ts';
import { exitUnlessGood } from './exit.ts';
import { everyWorker } from '../runbooks/workers.ts';

/** `tyk-dr replicate DEPLOYMENT --to SITE --files`: what a backup does by itself once its set is sealed, now and by hand. */

/** @throws DrError NOT_REPLICATED, UNKNOWN_SITE, ALREADY_BACKING_UP, and what ended the workflow */
export async function bringFilesNow(
  door: Door,
  shape: DeploymentShape,
  to: string,
  json: boolean,
): Promise<void> {
  requireReplicated(shape);
  const { deployment } = shape;
  const site = knownSite(deployment, shape.sites, to);
  const input = await backupInput(door, deployment, { site: to, set: 'latest' });
  const result = await executeBackup<typeof bringFiles>(
    door,
    'bringFiles',
    [input, [{ site: to, all: everyWorker(site) }]],
    `Bring the newest files to ${to} of ${deployment}`,
    filesId(deployment),
  );
  if (!result) return;
  process.stdout.write(
    json ? `${JSON.stringify({ version: 1, ...result }, undefined, 2)}\n` : textOf(result),
  );
  exitUnlessGood(result.hosts.every(({ left, warning }) => left === undefined && warning === undefined));
}

const textOf = ({ hosts }: FilesBrought): string =>
  hosts
    .flatMap(({ worker, summary, warning }) => [
      `${worker}: ${summary}`,
      ...(warning === undefined ? [] : [`  warning: ${warning}`]),
    ])
    .map((line) => `${line}\n`)
    .join('');
