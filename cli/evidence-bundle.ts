import { resolve } from 'node:path';
import type { Command } from 'commander';
import { readImprovement } from '../adapters/backup/improvement.ts';
import { loadConfig } from '../adapters/config/load.ts';
import { packFacts, writeBundle } from '../adapters/evidence/bundle.ts';
import { DrError } from '../domain/errors.ts';
import { bundleTexts } from '../report/auditor-bundle.ts';
import { fileArgument, nameArgument } from './arguments.ts';
import { deploymentOf } from './client.ts';

/** `tyk-dr evidence bundle`: all packs, keys, findings and the control map, to be verified on a machine without us. */

export function registerBundle(evidence: Command, config: () => string | undefined): void {
  evidence
    .command('bundle')
    .description(
      'One folder for an auditor, to be read only: every pack, public keys, findings, control map, and a script that verifies it without tyk-dr',
    )
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .requiredOption('--out <dir>', 'a folder that is not there yet', fileArgument('--out'))
    .option('--json', 'what was written, as JSON')
    .action(async (name: string, { out, json }: { out: string; json?: boolean }) => {
      const deployment = deploymentOf(await loadConfig(config()), name);
      const { backup } = deployment;
      const packs = await packFacts(backup, name);
      if (packs.length === 0)
        throw new DrError('BAD_ARGUMENT', {
          ...{ argument: 'DEPLOYMENT', value: name },
          expected: `one with an evidence pack: tyk-dr evidence export ${name}`,
        });
      const madeAt = new Date().toISOString();
      const { findings } = await readImprovement(deployment, name, madeAt);
      const texts = bundleTexts({
        ...{ deployment: name, madeAt, keys: backup.trustedKeys, packs },
        findings,
      });
      const folder = resolve(out);
      const files = await writeBundle(backup, name, folder, texts);
      const broken = packs.filter(({ unreadable }) => unreadable !== undefined);
      process.stdout.write(
        json
          ? `${JSON.stringify({ version: 1, deployment: name, folder, files, broken }, undefined, 2)}\n`
          : [
              `${packs.length} packs in ${folder}, made to be read only`,
              ...broken.map(({ file, unreadable }) => `PROBLEM  ${file}: ${unreadable}`),
              `newest digest  ${packs.at(-1)!.digest}`,
              'Give the auditor the public keys on another way as well; then: KEY=ed25519:... sh verify.sh',
              '',
            ].join('\n'),
      );
    });
}
