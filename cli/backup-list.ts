import type { Command } from 'commander';
import { readHold } from '../adapters/backup/prune.ts';
import { readCopyRecords } from '../adapters/backup/copy-record.ts';
import {
  isUsable,
  listSets,
  readManifest,
  setFolder,
  type SetListing,
} from '../adapters/backup/repository.ts';
import { listSnapshots } from '../adapters/backup/snapshots.ts';
import { loadConfig } from '../adapters/config/load.ts';
import type { BackupConfig } from '../domain/config.ts';
import { formatBytes, formatDuration } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import type { SnapshotKind } from '../domain/snapshot.ts';
import { nameArgument } from './arguments.ts';
import { setsAtCopy } from './backup-list-copy.ts';
import { copyOf } from './backup-run.ts';
import { deploymentOf } from './client.ts';
import { exitWithError } from './exit.ts';

/** `tyk-dr backup list`: what there is to recover from. It reads the repository itself: no worker, no Temporal. */

export function registerList(command: Command, config: () => string | undefined): void {
  command
    .command('list')
    .description('List the backup sets of a deployment, newest first, each with its snapshots under it')
    .argument('[deployment]', 'as named under deployments:; default all', nameArgument('DEPLOYMENT'))
    .option(
      '--copy <name>',
      'what this off-site copy holds, read from the copy itself',
      nameArgument('--copy'),
    )
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, options: { copy?: string; json?: boolean }) =>
      list(config(), name, options),
    );
}

export interface ListedSet extends SetListing {
  readonly deployment: string;
  /** Of a snapshot: what it holds. */
  readonly kind?: SnapshotKind;
  readonly hold?: string;
  /** Whether the repository has it. */
  readonly local: boolean;
  /** Names of the off-site copies that hold it whole. */
  readonly copies: readonly string[];
}

/** Exits as refused where there is no set at all, in text and as JSON. */
async function list(
  configPath: string | undefined,
  only: string | undefined,
  { copy, json }: { copy?: string; json?: boolean },
): Promise<void> {
  const config = await loadConfig(configPath);
  const names = only === undefined ? Object.keys(config.deployments) : [only];
  const sets: ListedSet[] = [];
  const snapshots: ListedSet[] = [];
  for (const name of names) {
    const deployment = deploymentOf(config, name);
    const { backup } = deployment;
    if (copy !== undefined) {
      sets.push(...(await setsAtCopy(deployment, name, copyOf(deployment, copy))));
      continue;
    }
    for (const set of await listSets(backup, name)) {
      const hold = await readHold(setFolder(backup, name, set.set));
      const copies = await copiesOf(backup, name, set);
      sets.push({ deployment: name, ...set, local: true, copies, ...(hold ? { hold: hold.reason } : {}) });
    }
    for (const snapshot of await listSnapshots(backup, name))
      snapshots.push({
        ...{ deployment: name, local: true, ...snapshot },
        copies: await copiesOf(backup, name, snapshot),
      });
  }
  const rows = withSnapshots(sets, snapshots);
  if (json) process.stdout.write(`${JSON.stringify({ version: 1, sets, snapshots }, undefined, 2)}\n`);
  else if (rows.length > 0) process.stdout.write(`${setTable(rows, Date.now()).join('\n')}\n`);
  if (sets.length > 0) return;
  const repositories = names.map((name) =>
    copy === undefined ? config.deployments[name]!.backup.repository : `the off-site copy ${copy}`,
  );
  const [elsewhere] = names.flatMap((name) => config.deployments[name]!.backup.copies);
  exitWithError(
    new DrError('NO_SET_YET', {
      deployment: names.join(', '),
      repository: [...new Set(repositories)].join(', '),
      first: names[0],
      ...(copy === undefined && elsewhere ? { copy: elsewhere.name } : {}),
    }),
  );
}

/** Each behind its set; those that belong to none that is there come last. */
function withSnapshots(sets: readonly ListedSet[], snapshots: readonly ListedSet[]): ListedSet[] {
  const belongs = (snapshot: ListedSet, to: ListedSet): boolean =>
    snapshot.deployment === to.deployment &&
    snapshot.belongsTo?.set === to.set &&
    snapshot.state !== 'orphaned';
  const stray = snapshots.filter((snapshot) => !sets.some((set) => belongs(snapshot, set)));
  return [
    ...sets.flatMap((set) => [set, ...snapshots.filter((snapshot) => belongs(snapshot, set))]),
    ...stray,
  ];
}

export async function copiesOf(backup: BackupConfig, name: string, listed: SetListing): Promise<string[]> {
  if (!isUsable(listed)) return [];
  const { set } = listed;
  const records = await readCopyRecords(backup, name, await readManifest(backup, name, set));
  return records.map(({ copy }) => copy);
}

/** Columns as wide as what is in them; the deployment only where there are several. */
export function setTable(sets: readonly ListedSet[], nowMs: number): string[] {
  const several = new Set(sets.map(({ deployment }) => deployment)).size > 1;
  const rows = [
    [
      ...(several ? ['DEPLOYMENT'] : []),
      'SET',
      'STATE',
      'SITE',
      'TAKEN AT',
      'AGE',
      'SIZE',
      'PROVEN',
      'WHERE',
      'HELD',
    ],
    ...sets.map((set) => [
      ...(several ? [set.deployment] : []),
      set.kind === undefined ? set.set : `  ${set.set}`,
      set.state,
      set.site ?? '',
      set.createdAt?.replace(/\.\d+Z$/, 'Z') ?? '',
      set.createdAt === undefined ? '' : ageText(nowMs - Date.parse(set.createdAt)),
      sizeText(set),
      proofText(set),
      [...(set.local ? ['local'] : []), ...set.copies].join(', '),
      set.hold ?? '',
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

const DAY_MS = 86_400_000;

function ageText(ageMs: number): string {
  return ageMs < 2 * DAY_MS ? formatDuration(ageMs) : `${Math.floor(ageMs / DAY_MS)} days`;
}

/** When, in what time, from where, and what was found to be wrong with it even so. */
function proofText({ proof }: ListedSet): string {
  if (!proof) return '';
  const { verifiedAt, durationMs, relations, copy } = proof;
  const took = durationMs === undefined ? '' : ` in ${formatDuration(durationMs)}`;
  const dangling = relations?.danglingKeys ? `, ${relations.danglingKeys} dangling keys` : '';
  const from = copy === undefined ? '' : ` from ${copy}`;
  return `${verifiedAt.replace(/\.\d+Z$/, 'Z')}${took}${from}${dangling}`;
}

function sizeText({ bytes, databaseBytes }: ListedSet): string {
  if (bytes === undefined) return '';
  return databaseBytes === undefined
    ? formatBytes(bytes)
    : `${formatBytes(bytes)} + database of ${formatBytes(databaseBytes)}`;
}
