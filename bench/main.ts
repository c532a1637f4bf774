import { beaconText, measureBeacon } from './beacon.ts';
import { choice } from '../cli/arguments.ts';
import { exitWithError } from '../cli/exit.ts';
import { DATABASES, type Database, type Lab } from '../lab/layout.ts';
import { resetSite } from '../lab/reset.ts';
import { SCALES, type ScaleName } from '../lab/seed/definitions.ts';
import { copyAndStart } from './bare-limit.ts';
import { deployEmptyStores, recoverByGuide } from './guide.ts';
import { measureMongo } from './mongodb.ts';
import { mongoResultOf, mongoTableOf } from './mongodb-result.ts';
import { dropPageCache } from './page-cache.ts';
import { parsed, whole } from './options.ts';
import { forgetServers, withOwnLab } from './own-lab.ts';
import { recoverByTykDr } from './recover.ts';
import { resultOf, type Round } from './result.ts';
import { backupSummary } from './backup-result.ts';
import { backupRows, verdictRow } from './rows.ts';
import { backUpScene, setScene, type Scene } from './scene.ts';
import { tableOf } from './table.ts';

/** `npm run bench`: the guide's commands, `tyk-dr recover` and the bare limit, side by side on the same data. */

const USAGE =
  'usage: npm run bench -- [--scale small|default|large] [--only backup] [--runs N] [--json] [--keep]\n' +
  '       npm run bench -- --only beacon [--seconds N] [--scale small] [--json]\n' +
  '       npm run bench -- --database mongodb [--mib N] [--runs N] [--json] [--keep]\n';

/** Enough to tell a speed, and over in minutes; the target is meant for 1024. */
const DEFAULT_MIB = '64';

interface Options {
  readonly database: Database;
  /** Leaves the rest out. */
  readonly only: 'all' | 'backup' | 'beacon';
  /** Of the beacon. */
  readonly seconds: number;
  /** Of MongoDB's documents. */
  readonly mib: number;
  readonly scale: ScaleName;
  readonly runs: number;
  readonly json: boolean;
  /** Leaves the lab as it is after the last run, to look into. */
  readonly keep: boolean;
}

try {
  await main(readOptions());
} catch (error) {
  exitWithError(error);
}

async function main(options: Options): Promise<void> {
  forgetServers();
  const { database } = options;
  await withOwnLab(
    { scale: database === 'mongodb' ? 'small' : options.scale, database },
    async (lab) => {
      const text = await (database === 'mongodb' ? mongodb(lab, options) : postgresql(lab, options));
      process.stdout.write(`${text}\n`);
    },
    options.keep ? (dir) => say(`end it with: npx tyk-dr lab --dir ${dir} down --destroy`) : undefined,
  );
}

async function mongodb(lab: Lab, { mib, runs, json }: Options): Promise<string> {
  const result = mongoResultOf(await measureMongo(lab, mib * 2 ** 20, runs, say));
  return json ? JSON.stringify(result) : mongoTableOf(result);
}

async function postgresql(lab: Lab, { scale, runs, only, seconds, json }: Options): Promise<string> {
  if (only === 'beacon') {
    const cost = await measureBeacon(lab, seconds, say);
    return json ? JSON.stringify(cost) : beaconText(cost);
  }
  if (only === 'backup') {
    const { backups, idle } = await backUpScene(lab, runs, say);
    const backup = backupSummary(backups, idle);
    if (json) return JSON.stringify({ scale, backup, verdicts: backup.verdicts });
    return [`scale ${scale}`, '', ...backupRows(backup), '', ...backup.verdicts.map(verdictRow)].join('\n');
  }
  const scene = await setScene(lab, runs, say);
  const rounds: Round[] = [];
  let notDropped: string | undefined;
  for (let run = 1; run <= runs; run += 1) {
    say(`run ${run} of ${runs}`);
    const measured = await round(lab, scene);
    rounds.push(measured);
    notDropped ??= measured.notDropped;
  }
  const result = resultOf(scale, scene, rounds, notDropped);
  return json ? JSON.stringify(result) : tableOf(result);
}

async function round(lab: Lab, { truth }: Scene): Promise<Round & { notDropped: string | undefined }> {
  await resetSite(lab, 'dr');
  await deployEmptyStores(lab);
  const notDropped = await dropPageCache();
  const guide = await recoverByGuide(lab, truth);
  say(`  (a) data restored after ${shown(guide.dataMs)}, verified after ${shown(guide.verifiedMs)}`);

  await resetSite(lab, 'dr');
  await dropPageCache();
  const recover = await recoverByTykDr(lab, truth);
  say(`  (b) data restored after ${shown(recover.dataMs)}, verified after ${shown(recover.verifiedMs)}`);

  await resetSite(lab, 'dr');
  await dropPageCache();
  const plainMs = await copyAndStart(lab, truth, false);
  await resetSite(lab, 'dr');
  await dropPageCache();
  const durableMs = await copyAndStart(lab, truth, true);
  say(`  (c) copied and started after ${shown(plainMs)}, made durable as well ${shown(durableMs)}`);
  return { guide, recover, bareLimit: { plainMs, durableMs }, notDropped };
}

function readOptions(): Options {
  const values = parsed(USAGE, {
    database: { type: 'string', default: 'postgresql' },
    only: { type: 'string', default: 'all' },
    mib: { type: 'string', default: DEFAULT_MIB },
    seconds: { type: 'string', default: '60' },
    scale: { type: 'string', default: 'default' },
    runs: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  });
  return {
    database: choice('--database', DATABASES)(values.database),
    only: choice('--only', ['all', 'backup', 'beacon'] as const)(values.only),
    seconds: whole('--seconds', values.seconds),
    mib: whole('--mib', values.mib),
    scale: choice('--scale', Object.keys(SCALES) as ScaleName[])(values.scale),
    runs: whole('--runs', values.runs),
    json: values.json,
    keep: values.keep,
  };
}

function shown(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
