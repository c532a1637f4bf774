import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { readStandbyMark } from '../../../adapters/host/standby-mark.ts';
import { killSite } from '../../../lab/break.ts';
import { configFile, GATEWAYS, siteDir, SITES, type SiteName } from '../../../lab/layout.ts';
import { PG_BIN } from '../../../lab/stores.ts';
import { plantFaults, readTrace, type Traced } from '../../harness/faults.ts';
import { TestLab } from '../../harness/lab.ts';
import { sqlOn } from '../../harness/sql.ts';
import { Writer } from '../../harness/writer.ts';
import type { Cell, MoveName } from './cells.ts';
import { Keeper } from './keeper.ts';

/**
 * One lab whose two sites exchange their roles, cell after cell: hot, so that every row of both tables is part of it, and
 * commits wait for the standby.
 */

export class Pair {
  readonly lab: TestLab;
  readonly keeper: Keeper;
  readonly faults: string;
  readonly writer: Writer;
  /** The site that serves, as the last run has left it. */
  serving: SiteName = 'primary';
  /** Whether the other one follows. */
  #follows = false;
  /** Whether the other one was given up while it may have held what nobody else has. */
  abandoned = false;
  #plays = 0;

  private constructor(lab: TestLab) {
    this.lab = lab;
    this.faults = join(lab.lab.dir, 'faults');
    this.writer = new Writer(lab.lab);
    this.keeper = new Keeper(lab, this.faults, (cell) => this.#siteOf(cell));
  }

  static async up(): Promise<Pair> {
    const pair = new Pair(await TestLab.up('--strategy', 'hot'));
    try {
      await pair.#prepare();
    } catch (error) {
      await pair.down();
      throw error;
    }
    return pair;
  }

  async #prepare(): Promise<void> {
    await countCopies(this.lab);
    await synchronously(this.lab);
    await plantFaults(this.faults, []);
    await this.keeper.begin();
    await sqlOn(this.lab.lab, 'primary', 'CREATE TABLE crash_journal (n integer PRIMARY KEY)');
    await sqlOn(this.lab.lab, 'primary', 'INSERT INTO crash_journal SELECT generate_series(1, 50)');
    await this.lab.expect('backup', 'acme', '--no-verify');
  }

  get other(): SiteName {
    return this.serving === 'primary' ? 'dr' : 'primary';
  }

  /** Makes the lab ready for a run of the scene. */
  async set(scene: MoveName, faults: readonly string[]): Promise<void> {
    await plantFaults(this.faults, []);
    await this.keeper.allBack();
    await this.writer.stop();
    this.#plays += 1;
    if (scene !== 'replicate' && !this.#follows) await this.#undisturbed('replicate');
    // Every other time the old site has something that must be wound back.
    if (scene === 'replicate' && this.#follows)
      await this.#undisturbed(this.#plays % 2 === 0 ? 'graceful' : 'forced');
    await this.#removeKept();
    await this.writer.start(this.serving);
    await this.writer.acknowledged('postgres', 5);
    await plantFaults(this.faults, faults);
  }

  async #undisturbed(scene: MoveName): Promise<void> {
    if (scene === 'forced') {
      await this.writer.start(this.serving);
      await this.writer.acknowledged('postgres', 5);
      await this.lose();
    }
    const answer = await this.run(scene, true);
    await this.writer.stop();
    if (answer.exitCode !== 0 && answer.exitCode !== 3)
      throw new Error(`${scene} by itself ended with ${answer.exitCode}: ${answer.stdout.slice(-2_000)}`);
    this.moved(scene);
  }

  /** The site that serves loses every process but its worker. */
  async lose(): Promise<void> {
    await killSite(this.lab.lab, this.serving);
  }

  run(scene: MoveName, aborts: boolean) {
    const how = scene === 'replicate' ? ['replicate'] : ['failover', `--${scene}`];
    const rejoin = scene === 'graceful' ? ['--no-rejoin'] : [];
    const [command, ...mode] = how as [string, ...string[]];
    return this.lab.run(
      ...[command, 'acme', '--to', this.other, ...mode, ...rejoin, '--json', '--reason', 'the crash matrix'],
      ...(aborts ? ['--on-failure', 'abort'] : []),
    );
  }

  /** The roles are exchanged, or the other site follows. */
  moved(scene: MoveName): void {
    if (scene === 'replicate') {
      this.#follows = true;
      this.abandoned = false;
      return;
    }
    this.serving = this.other;
    this.#follows = false;
    this.abandoned = scene === 'forced';
  }

  /** What the runs before have kept on purpose. */
  async #removeKept(): Promise<void> {
    for (const site of SITES)
      for (const path of await this.leftovers(site)) await rm(path, { recursive: true, force: true });
  }

  /** What lies beside the data of a site. */
  async leftovers(site: SiteName): Promise<string[]> {
    const found: string[] = [];
    const trees = [['dashboard'], ['pump'], ...GATEWAYS.map((name) => ['gateways', name])];
    for (const folder of [['redis'], ['postgres'], ...trees])
      for (const name of await readdir(siteDir(this.lab.lab, site, ...folder)).catch(() => []))
        if (name.includes('tyk-dr-new') || name.includes('tyk-dr-old'))
          found.push(siteDir(this.lab.lab, site, ...folder, name));
    return found;
  }

  markOf(site: SiteName) {
    return readStandbyMark(siteDir(this.lab.lab, site, 'state'));
  }

  async fenceOf(site: SiteName): Promise<string | undefined> {
    const file = siteDir(this.lab.lab, site, 'state', 'fenced');
    return (await readFile(file, 'utf8').catch(() => undefined))?.trim();
  }

  async commanderOf(site: SiteName): Promise<string | undefined> {
    const file = siteDir(this.lab.lab, site, 'state', 'epoch.json');
    const text = await readFile(file, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as { run: string }).run;
  }

  /** How often PostgreSQL's own tools copied a whole cluster, or wound one back: as they count it themselves. */
  async copies(): Promise<number> {
    const text = await readFile(copiesFile(this.lab), 'utf8').catch(() => '');
    return text.split('\n').filter(Boolean).length;
  }

  trace(): Promise<Traced[]> {
    return readTrace(this.faults);
  }

  async down(): Promise<void> {
    await this.writer.kill();
    await this.keeper.end();
    await this.lab.down();
  }

  #siteOf({ step }: Cell): SiteName {
    return step?.where === 'live' || step?.where === 'source' ? this.serving : this.other;
  }
}

const copiesFile = (lab: TestLab): string => join(lab.lab.dir, 'copies.log');

/** Both tools say when they are begun; all the others are as they are. */
async function countCopies(lab: TestLab): Promise<void> {
  const folder = join(lab.lab.dir, 'pgbin');
  await mkdir(folder);
  await writeFile(copiesFile(lab), '');
  await chmod(copiesFile(lab), 0o666);
  for (const name of await readdir(PG_BIN)) {
    if (name !== 'pg_basebackup' && name !== 'pg_rewind')
      await symlink(join(PG_BIN, name), join(folder, name));
    else
      await writeFile(
        join(folder, name),
        `#!/bin/sh\ncase "$1" in --version|-V) ;; *) echo ${name} >> '${copiesFile(lab)}' ;; esac\nexec '${join(PG_BIN, name)}' "$@"\n`,
        { mode: 0o755 },
      );
  }
  await changeConfig(lab, ({ sites }) => {
    for (const site of SITES) sites[site]!.database['binDir'] = folder;
  });
}

async function synchronously(lab: TestLab): Promise<void> {
  await changeConfig(lab, ({ replication }) => {
    replication.database['mode'] = 'synchronous';
  });
}

interface Declared {
  readonly replication: { readonly database: Record<string, unknown> };
  readonly sites: Record<string, { readonly database: Record<string, unknown> }>;
}

/** Read by whoever is started after it. */
async function changeConfig(lab: TestLab, change: (acme: Declared) => void): Promise<void> {
  const file = configFile(lab.lab);
  const config = parse(await readFile(file, 'utf8')) as { deployments: { acme: Declared } };
  change(config.deployments.acme);
  await writeFile(file, stringify(config, { lineWidth: 120 }), { mode: 0o600 });
}

/** Waits for what comes about by itself a moment later. */
export async function soon(holds: () => Promise<boolean>): Promise<boolean> {
  for (const deadline = Date.now() + SOON_MS; Date.now() < deadline; await sleep(50))
    if (await holds().catch(() => false)) return true;
  return false;
}

const SOON_MS = 15_000;
