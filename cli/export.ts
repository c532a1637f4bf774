import { resolve } from 'node:path';
import type { Command } from 'commander';
import { configDigest, planDigest } from '../adapters/config/digest.ts';
import { loadConfig } from '../adapters/config/load.ts';
import { resolveSecret } from '../adapters/config/secrets.ts';
import { readScriptParts } from '../adapters/runbook/script-parts.ts';
import { runbookFolder, writeRunbook } from '../adapters/runbook/write.ts';
import { knownSite } from '../domain/known-site.ts';
import { DrError } from '../domain/errors.ts';
import type { Secret } from '../domain/secret.ts';
import { replicates } from '../domain/strategy.ts';
import { runbookBundle } from '../report/runbook/bundle.ts';
import { NO_FAILOVER } from '../report/runbook/standby.ts';
import { PART_NAMES } from '../report/runbook/script.ts';
import { fileArgument, nameArgument } from './arguments.ts';
import { deploymentOf } from './client.ts';
import { exitUnlessGood } from './exit.ts';
import { VERSION } from './version.ts';

/** `tyk-dr export`: the runbook as a page and as scripts, for the night on which Temporal is gone as well. */

interface ExportOptions {
  readonly to?: string;
  readonly out?: string;
  readonly json?: boolean;
}

export function registerExport(program: Command, config: () => string | undefined): void {
  program
    .command('export')
    .description(
      'Write the runbook as one HTML page and one shell script per site, which recover without Temporal and Node',
    )
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .option('--to <site>', 'only the script of this site', nameArgument('--to'))
    .option('--out <dir>', 'where to; default runbook/ beside the backup sets', fileArgument('--out'))
    .option('--json', 'as JSON')
    .action(async (name: string, options: ExportOptions) => exportRunbook(config(), name, options));
}

async function exportRunbook(
  configPath: string | undefined,
  name: string,
  { to, out, json }: ExportOptions,
): Promise<void> {
  const deployment = deploymentOf(await loadConfig(configPath), name);
  if (to !== undefined) knownSite(name, deployment.sites, to);
  const folder = out === undefined ? runbookFolder(deployment.backup, name) : resolve(out);
  const facts = { writtenAt: new Date().toISOString(), configDigest: configDigest(deployment) };
  const runbook = runbookBundle({
    ...{ name, deployment, version: VERSION, digestOf: planDigest, ...facts },
    // Beside the sets the signed list is of all files.
    ...(to === undefined || out === undefined ? {} : { site: to }),
    parts: await readScriptParts(PART_NAMES),
  });
  const key = await signingKey(deployment.backup.signingKey);
  const files = await writeRunbook(folder, runbook, { deployment: name, ...facts }, key);
  const shown =
    to === undefined ? files : files.filter((file) => !/^recover-/.test(file) || file === `recover-${to}.sh`);
  const byHand = Object.entries(runbook.byHand);
  if (json)
    process.stdout.write(
      `${JSON.stringify({ version: 1, deployment: name, folder, files: shown, signed: key !== undefined, byHand: runbook.byHand, failover: replicates(deployment.strategy) ? 'by hand' : 'none' })}\n`,
    );
  else {
    for (const file of shown) process.stdout.write(`${folder}/${file}\n`);
    for (const [site, reasons] of byHand)
      process.stderr.write(
        `no script for ${site}: ${reasons.join('; ')}; the page says what to do by hand\n`,
      );
  }
  if (replicates(deployment.strategy)) process.stderr.write(`note: ${NO_FAILOVER}\n`);
  exitUnlessGood(byHand.length === 0);
}

/** Whoever has no signing key may export all the same: the list is then not signed, and that is said. */
async function signingKey(reference: Parameters<typeof resolveSecret>[0]): Promise<Secret | undefined> {
  try {
    return await resolveSecret(reference);
  } catch (error) {
    if (!(error instanceof DrError)) throw error;
    process.stderr.write(`note: ${error.message}; the runbook is written without a signature\n`);
    return undefined;
  }
}
