import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { killSite, wipeData } from './break.ts';
import { down } from './down.ts';
import { configFile, findLab, localUrl, makeLab, outside, type Database, type Lab } from './layout.ts';
import { up } from './up.ts';
import type { ScaleName } from './seed/definitions.ts';

/** The whole promise in one command: a deployment with data and traffic, backed up, destroyed, recovered, proven. */

export interface DemoOptions {
  readonly dir: string;
  readonly keep: boolean;
  readonly scale: ScaleName;
  readonly database: Database;
  readonly say: (text: string) => void;
}

/** Long enough for the witness to see a healthy site first. */
const HEALTHY_MS = 3_000;

/** @returns the exit code of the recovery. */
export async function demo(options: DemoOptions): Promise<number> {
  const { say } = options;
  const old = await findLab(options.dir);
  // The demo begins from nothing, so that it shows the same every time.
  if (old) await down(old, true);
  const lab = await makeLab(options.dir, {}, { scale: options.scale, database: options.database });
  try {
    say(`\n1. A two-site Tyk deployment in ${lab.dir}`);
    await up(lab, say);
    say('\n2. A backup set, proven by restoring it');
    await tykDr(lab, ['backup', lab.deployment]);
    await new Promise((resolve) => setTimeout(resolve, HEALTHY_MS));
    say('\n3. The disaster: every process of the primary site is killed, its data are deleted');
    const occurred = new Date().toISOString();
    await killSite(lab, 'primary');
    await wipeData(lab, 'primary');
    say('\n4. The recovery on dr');
    const code = await tykDr(lab, [
      'recover',
      lab.deployment,
      '--to',
      'dr',
      '--occurred',
      occurred,
      '--on-failure',
      'abort',
      '--reason',
      'demo: the primary site is lost',
    ]);
    const report = await writeHtml(lab);
    say(`\nHTML report    ${report}`);
    say(`Temporal UI    ${localUrl(lab.ports['temporal-ui'])}${options.keep ? '' : ' (with --keep)'}`);
    if (options.keep)
      say(`explore with   export TYK_DR_CONFIG=${configFile(lab)}\nend it with    npx tyk-dr lab down`);
    return code;
  } finally {
    if (!options.keep) await down(lab, false);
  }
}

/** The program as its users call it: the demo has no door of its own. */
async function tykDr(lab: Lab, args: readonly string[]): Promise<number> {
  const program = fileURLToPath(new URL('../../bin/tyk-dr.js', import.meta.url));
  process.stderr.write(`$ tyk-dr ${args.join(' ')}\n`);
  const { exitCode } = await execa(process.execPath, [program, ...args], {
    env: { TYK_DR_CONFIG: configFile(lab) },
    stdio: ['ignore', 'inherit', 'inherit'],
    reject: false,
  });
  if (args[0] === 'backup' && exitCode !== 0) throw new Error('the backup failed: see above');
  return exitCode ?? 1;
}

async function writeHtml(lab: Lab): Promise<string> {
  const program = fileURLToPath(new URL('../../bin/tyk-dr.js', import.meta.url));
  const file = outside(lab, 'reports', 'demo.html');
  await mkdir(join(file, '..'), { recursive: true });
  const { stdout } = await execa(process.execPath, [program, 'report', lab.deployment, '--format', 'html'], {
    env: { TYK_DR_CONFIG: configFile(lab) },
  });
  await writeFile(file, stdout);
  return file;
}
