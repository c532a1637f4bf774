import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { listRecords } from '../adapters/backup/runs.ts';
import { configDigest } from '../adapters/config/digest.ts';
import { loadConfig } from '../adapters/config/load.ts';
import { standbySeen } from '../adapters/temporal/last-watch.ts';
import { byOwnDoor } from '../adapters/temporal/own-door.ts';
import type { Config, Deployment } from '../domain/config.ts';
import { replicates } from '../domain/strategy.ts';
import type { StandbySeen } from '../domain/watched.ts';
import { newestConfig } from '../adapters/versioned/newest-config.ts';
import { handbookDocument } from '../report/handbook.ts';
import { shapeOf } from '../runbooks/shape-of.ts';
import { fileArgument, nameArgument } from './arguments.ts';
import { deploymentOf } from './client.ts';
import { writeBoth } from './review.ts';
import { VERSION } from './version.ts';

/** `tyk-dr handbook`: everything that somebody needs who has to recover a deployment, on one page. */

export function registerHandbook(program: Command, config: () => string | undefined): void {
  program
    .command('handbook')
    .description(
      'Write the DR handbook of a deployment, one HTML page and Markdown, from its configuration and runs',
    )
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .option('--out <dir>', 'where to; default handbook/ beside the backup sets', fileArgument('--out'))
    .option('--json', 'where it was written, as JSON')
    .action(async (name: string, { out, json }: { out?: string; json?: boolean }) => {
      const loaded = await loadConfig(config());
      const deployment = deploymentOf(loaded, name);
      const { backup } = deployment;
      const document = handbookDocument({
        ...{ name, deployment, version: VERSION, configDigest: configDigest(deployment) },
        shape: shapeOf(name, deployment),
        standby: await seenOf(loaded, name, deployment),
        records: await listRecords(backup, name),
        settings: await newestConfig(name, deployment),
        now: new Date().toISOString(),
      });
      const folder = out === undefined ? join(backup.repository, name, 'handbook') : resolve(out);
      const files = await writeBoth(folder, 'handbook', document);
      process.stdout.write(
        json ? `${JSON.stringify({ version: 1, deployment: name, files })}\n` : `${files.join('\n')}\n`,
      );
    });
}

const LIMIT_MS = 4_000;

/** A handbook is written without Temporal as well: then it says that nothing was measured. */
async function seenOf(config: Config, name: string, { strategy }: Deployment): Promise<StandbySeen> {
  if (!replicates(strategy)) return { why: 'nothing replicates' };
  return byOwnDoor(config, (client) => standbySeen(client, name, LIMIT_MS)).catch((): StandbySeen => ({
    why: 'Temporal does not answer',
  }));
}
