import type { Command } from 'commander';
import {
  BREAKS,
  corruptRows,
  deleteApis,
  killService,
  killSite,
  partition,
  wipeData,
  type Break,
} from '../lab/break.ts';
import { demo } from '../lab/demo.ts';
import { down } from '../lab/down.ts';
import {
  configFile,
  defaultLabDir,
  findLab,
  localUrl,
  makeLab,
  PORT_NAMES,
  SITES,
  type Lab,
  type PortName,
  type SiteName,
} from '../lab/layout.ts';
import { labStatus } from '../lab/status.ts';
import { up } from '../lab/up.ts';
import { DrError } from '../domain/errors.ts';
import { choice } from './arguments.ts';

/** `tyk-dr lab`: a whole Tyk deployment, twice, on this machine; and ways to break it. */

const SCALES = ['small', 'default', 'large'] as const;
type Scale = (typeof SCALES)[number];

export function registerLab(program: Command): void {
  const lab = program
    .command('lab')
    .description('A two-site Tyk deployment on this machine, and ways to break it');
  lab.option('--dir <folder>', 'where its state lies; default TYK_DR_LAB, then a folder below /var/tmp');
  const dir = (): string => lab.opts<{ dir?: string }>().dir ?? defaultLabDir();

  lab
    .command('up')
    .description('Start everything that is missing or stopped')
    .option('--scale <scale>', SCALES.join(', '), choice('--scale', SCALES), 'default')
    .option('--port <name=number...>', `fixed ports: ${PORT_NAMES.join(', ')}`, collectPort, {})
    .action(async ({ scale, port }: { scale: Scale; port: Partial<Record<PortName, number>> }) => {
      const made = (await findLab(dir())) ?? (await makeLab(dir(), port));
      await up(made, { scale, say });
      process.stdout.write(`${hints(made)}\n`);
    });

  lab
    .command('down')
    .description('Stop everything')
    .option('--destroy', 'and delete its data')
    .action(async ({ destroy }: { destroy?: boolean }) => down(await existing(dir()), destroy ?? false));

  lab
    .command('status')
    .description('What runs, and where')
    .action(async () => {
      const found = await existing(dir());
      process.stdout.write(`${await labStatus(found)}\n`);
    });

  lab
    .command('break')
    .description('Break a site')
    .argument('<how>', BREAKS.join(', '), choice('how', BREAKS))
    .argument('[site]', SITES.join(', '), choice('site', SITES), 'primary')
    .option('--component <name>', 'for kill-component: redis, postgres, dashboard, gw1, gw2, pump')
    .action(async (how: Break, site: SiteName, { component }: { component?: string }) => {
      process.stdout.write(`${await breakSite(await existing(dir()), how, site, component)}\n`);
    });

  lab
    .command('demo')
    .description('Back up, destroy the primary site, recover on dr, prove it')
    .option('--keep', 'leave everything running to explore')
    .option('--scale <scale>', SCALES.join(', '), choice('--scale', SCALES), 'default')
    .action(async ({ keep, scale }: { keep?: boolean; scale: Scale }) => {
      process.exitCode = await demo({ dir: dir(), keep: keep ?? false, scale, say });
    });
}

async function breakSite(
  lab: Lab,
  how: Break,
  site: SiteName,
  component: string | undefined,
): Promise<string> {
  switch (how) {
    case 'kill-site':
      return `killed ${(await killSite(lab, site)).join(', ')}`;
    case 'kill-component': {
      if (component === undefined)
        throw new DrError('BAD_ARGUMENT', {
          argument: '--component',
          value: 'missing',
          expected: 'redis, postgres, dashboard, gw1, gw2 or pump',
        });
      const killed = await killService(lab, `${site}-${component}`);
      return killed === undefined ? `${site}-${component} did not run` : `killed ${killed}`;
    }
    case 'wipe-data':
      await killSite(lab, site);
      await wipeData(lab, site);
      return `killed ${site} and deleted its data`;
    case 'corrupt-rows':
      return `corrupted ${await corruptRows(lab, site)} policies`;
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

function collectPort(
  value: string,
  ports: Partial<Record<PortName, number>>,
): Partial<Record<PortName, number>> {
  const [name, text] = value.split('=');
  const number = Number(text);
  if (
    !(PORT_NAMES as readonly string[]).includes(name ?? '') ||
    !Number.isInteger(number) ||
    number < 1 ||
    number > 65_535
  ) {
    throw new DrError('BAD_ARGUMENT', {
      argument: '--port',
      value,
      expected: `NAME=NUMBER with a name of ${PORT_NAMES.join(', ')}`,
    });
  }
  return { ...ports, [name as PortName]: number };
}

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
