import type { Command } from 'commander';
import { BREAKS, type Break } from '../lab/breaks.ts';
import {
  configFile,
  defaultLabDir,
  findLab,
  localUrl,
  DATABASES,
  DEFAULT_SEED,
  makeLab,
  DATABASE_METHODS,
  MODES,
  PORT_NAMES,
  SITE_SERVICES,
  SITES,
  type Database,
  type Lab,
  type DatabaseMethodName,
  type Mode,
  type PortName,
  type SiteName,
} from '../lab/layout.ts';
import { SCALES as SEED_SCALES, type ScaleName } from '../lab/seed/definitions.ts';
import { replicates, STRATEGIES, type Strategy } from '../domain/strategy.ts';
import { DrError } from '../domain/errors.ts';
import { choice, fileArgument, nameArgument, numberArgument, type Kind } from './arguments.ts';

/**
 * `tyk-dr lab`: a whole Tyk deployment, twice, on this machine; and ways to break it. What works on it is loaded by the
 * one command that needs it: clients of every store would cost all other commands a quarter of a second.
 */

const SCALES = Object.keys(SEED_SCALES) as ScaleName[];

export function registerLab(program: Command): void {
  const lab = program
    .command('lab')
    .description('A two-site Tyk deployment on this machine, and ways to break it');
  lab.option(
    '--dir <folder>',
    'where its state lies; default TYK_DR_LAB, then a folder below /var/tmp',
    fileArgument('--dir'),
  );
  const dir = (): string => lab.opts<{ dir?: string }>().dir ?? defaultLabDir();

  lab
    .command('up')
    .description('Start everything that is missing or stopped')
    .option('--scale <scale>', `of a new lab: ${SCALES.join(', ')}`, choice('--scale', SCALES))
    .option(
      '--seed <number>',
      `the number that the data of a new lab come from; default ${DEFAULT_SEED}`,
      numberArgument('--seed', 0, 4_294_967_295),
    )
    .option('--database <kind>', `of a new lab: ${DATABASES.join(', ')}`, choice('--database', DATABASES))
    .option('--mode <mode>', `of a new lab: ${MODES.join(', ')}`, choice('--mode', MODES))
    .option(
      '--database-method <method>',
      `of a new lab: ${DATABASE_METHODS.join(', ')}`,
      choice('--database-method', DATABASE_METHODS),
    )
    .option(
      '--strategy <strategy>',
      `of a new lab: ${STRATEGIES.join(', ')}`,
      choice('--strategy', STRATEGIES),
    )
    .option(
      '--like <file>',
      'of a new lab: a tyk-dr.yaml whose wishes it takes over, on its own sites',
      fileArgument('--like'),
    )
    .option('--port <name=number...>', `fixed ports of a new lab: ${PORT_NAMES.join(', ')}`, collectPort, {})
    .action(async ({ port, like, ...asked }: UpOptions) => {
      const { readWishes } = await import('../lab/wishes.ts');
      const choices = { ...asked, ...(like === undefined ? {} : await readWishes(like)) };
      const there = await findLab(dir());
      if (!there) requireReplicable({ database: 'postgresql', strategy: 'backup-restore', ...choices });
      const made = there ?? (await makeLab(dir(), port, choices));
      requireSame(made, choices, port);
      const { up } = await import('../lab/up.ts');
      await up(made, say);
      process.stdout.write(`${hints(made)}\n`);
    });

  lab
    .command('seed')
    .description('Fill the site that serves anew; the same number gives the same data')
    .option('--seed <number>', 'default the one that the lab has', numberArgument('--seed', 0, 4_294_967_295))
    .option(
      '--scale <scale>',
      `default the one that the lab has; ${SCALES.join(', ')}`,
      choice('--scale', SCALES),
    )
    .action(async (choices: Pick<UpOptions, 'seed' | 'scale'>) => {
      const { reseed } = await import('../lab/up.ts');
      await reseed(await existing(dir()), choices, say);
    });

  lab
    .command('down')
    .description('Stop everything')
    .option('--destroy', 'and delete its data')
    .action(async ({ destroy }: { destroy?: boolean }) => {
      const found = await existing(dir());
      const { down } = await import('../lab/down.ts');
      await down(found, destroy ?? false);
    });

  lab
    .command('status')
    .description('What runs, and where')
    .action(async () => {
      const found = await existing(dir());
      const { labStatus } = await import('../lab/status.ts');
      process.stdout.write(`${await labStatus(found)}\n`);
    });

  lab
    .command('break')
    .description('Break a site')
    .argument('<how>', BREAKS.join(', '), choice('how', BREAKS))
    .argument('[site]', SITES.join(', '), choice('site', SITES), 'primary')
    .option(
      '--component <name>',
      'for kill-component: redis, postgres, mongodb, dashboard, gw1, gw2, pump',
      nameArgument('--component'),
    )
    .action(async (how: Break, site: SiteName, { component }: { component?: string }) => {
      process.stdout.write(`${await breakSite(await existing(dir()), how, site, component)}\n`);
    });

  lab
    .command('demo')
    .description('Back up, destroy the primary site, recover on dr, prove it')
    .option('--keep', 'leave everything running to explore')
    .option('--scale <scale>', SCALES.join(', '), choice('--scale', SCALES), 'default')
    .option('--database <kind>', DATABASES.join(', '), choice('--database', DATABASES), 'postgresql')
    .action(async ({ keep, ...choices }: { keep?: boolean; scale: ScaleName; database: Database }) => {
      const { demo } = await import('../lab/demo.ts');
      process.exitCode = await demo({ dir: dir(), keep: keep ?? false, ...choices, say });
    });
}

async function breakSite(
  lab: Lab,
  how: Break,
  site: SiteName,
  component: string | undefined,
): Promise<string> {
  if (lab.mode === 'files' && (how === 'corrupt-rows' || how === 'delete-apis'))
    throw new DrError('BAD_ARGUMENT', { argument: 'how', value: how, expected: 'a lab with a database' });
  const { corruptRows, deleteApis, killService, killSite, partition, wipeData } =
    await import('../lab/break.ts');
  switch (how) {
    case 'kill-site':
      return `killed ${(await killSite(lab, site)).join(', ')}`;
    case 'kill-component': {
      if (component === undefined)
        throw new DrError('BAD_ARGUMENT', {
          argument: '--component',
          value: 'missing',
          expected: 'redis, postgres, mongodb, dashboard, gw1, gw2 or pump',
        });
      if (!(SITE_SERVICES as readonly string[]).includes(component))
        throw new DrError('BAD_ARGUMENT', {
          argument: '--component',
          value: component,
          expected: `one of ${SITE_SERVICES.join(', ')}`,
        });
      const killed = await killService(lab, `${site}-${component}`);
      return killed === undefined ? `${site}-${component} did not run` : `killed ${killed}`;
    }
    case 'wipe-data':
      await killSite(lab, site);
      await wipeData(lab, site);
      return `killed ${site} and deleted its data`;
    case 'corrupt-rows':
      return `corrupted ${await corruptRows(lab, site)} policies and APIs`;
    case 'delete-apis':
      return `deleted ${await deleteApis(lab, site)} APIs`;
    case 'partition':
      return `froze ${(await partition(lab, site)).join(', ')}`;
  }
}

async function existing(dir: string): Promise<Lab> {
  const found = await findLab(dir);
  if (!found)
    throw new DrError('BAD_ARGUMENT', {
      argument: '--dir',
      value: dir,
      expected: 'the folder of a lab; make one with tyk-dr lab up',
    });
  return found;
}

interface UpOptions {
  readonly scale?: ScaleName;
  readonly seed?: number;
  readonly mode?: Mode;
  readonly database?: Database;
  readonly databaseMethod?: DatabaseMethodName;
  readonly strategy?: Strategy;
  readonly like?: string;
  readonly port: Partial<Record<PortName, number>>;
}

/** What a lab is made of cannot be changed by bringing it up again; saying so is better than passing over it. */
function requireSame(lab: Lab, choices: Omit<UpOptions, 'port' | 'like'>, port: UpOptions['port']): void {
  const asked: [string, string | number | undefined, string | number][] = [
    ['--scale', choices.scale, lab.scale],
    ['--seed', choices.seed, lab.seed],
    ['--mode', choices.mode, lab.mode],
    ['--database', choices.database, lab.database],
    ['--database-method', choices.databaseMethod, lab.databaseMethod],
    ['--strategy', choices.strategy, lab.strategy],
    ...Object.entries(port).map(([name, number]): [string, number, number] => [
      `--port ${name}`,
      number,
      lab.ports[name as PortName],
    ]),
  ];
  for (const [argument, value, has] of asked)
    if (value !== undefined && value !== has)
      throw new DrError('BAD_ARGUMENT', {
        argument,
        value,
        expected: `${has}, as this lab was made; change its data with lab seed, anything else with lab down --destroy first`,
      });
}

/** FerretDB, the lab's MongoDB, knows no replica set: a standby there would follow nobody. */
function requireReplicable({ database, strategy }: Pick<Lab, 'database' | 'strategy'>): void {
  if (database === 'mongodb' && replicates(strategy))
    throw new DrError('BAD_ARGUMENT', {
      argument: '--strategy',
      value: strategy,
      expected: "backup-restore with --database mongodb: the lab's server knows no replica sets",
    });
}

const collectPort = Object.assign(
  (value: string, ports: Partial<Record<PortName, number>>): Partial<Record<PortName, number>> => {
    const [, name, number] = /^([a-z0-9-]+)=(\d{1,5})$/.exec(value) ?? [];
    if (
      !(PORT_NAMES as readonly string[]).includes(name ?? '') ||
      Number(number) < 1 ||
      Number(number) > 65_535
    )
      throw new DrError('BAD_ARGUMENT', {
        argument: '--port',
        value,
        expected: `NAME=NUMBER with a name of ${PORT_NAMES.join(', ')}`,
      });
    return { ...ports, [name as PortName]: Number(number) };
  },
  { kind: 'choice' } satisfies { kind: Kind },
);

function hints(lab: Lab): string {
  return [
    `clients    ${localUrl(lab.ports.traffic)}`,
    `Temporal   ${localUrl(lab.ports['temporal-ui'])}`,
    `next:      export TYK_DR_CONFIG=${configFile(lab)}`,
    `           tyk-dr backup ${lab.deployment}`,
  ].join('\n');
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
