import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { serverStates } from '../../../adapters/haproxy/runtime.ts';
import { haproxySocket } from '../../../lab/haproxy.ts';
import { configFile, siteDir } from '../../../lab/layout.ts';
import { plantFaults, readTrace, type Traced } from '../../harness/faults.ts';
import { TestLab } from '../../harness/lab.ts';
import { sqlOn } from '../../harness/sql.ts';
import type { SceneName } from './cells.ts';
import { Keeper } from './keeper.ts';
import { clearLeftovers, plantOldData } from './old-data.ts';
import { digestOfData, provisionLog } from './witnesses.ts';

/** One lab that serves every cell: a primary site that is backed up and then lost, and a target that is reset. */

export class Stage {
  readonly lab: TestLab;
  readonly keeper: Keeper;
  /** Where faults are planted. */
  readonly faults: string;
  #truth: string | undefined;

  private constructor(lab: TestLab) {
    this.lab = lab;
    this.faults = join(lab.lab.dir, 'faults');
    this.keeper = new Keeper(lab, this.faults);
  }

  static async up(): Promise<Stage> {
    const stage = new Stage(await TestLab.up());
    try {
      await stage.#prepare();
    } catch (error) {
      await stage.down();
      throw error;
    }
    return stage;
  }

  async #prepare(): Promise<void> {
    await provisionByCommand(this.lab);
    await plantFaults(this.faults, []);
    await this.keeper.begin();
    await this.#journal(1, 50, 'CREATE TABLE crash_journal (n integer PRIMARY KEY)');
    await this.lab.expect('backup', 'acme');
  }

  /** Acknowledged writes, held against what every recovery brings back. */
  async #journal(from: number, to: number, first = 'SELECT'): Promise<void> {
    await sqlOn(this.lab.lab, 'primary', first);
    await sqlOn(this.lab.lab, 'primary', `INSERT INTO crash_journal SELECT generate_series(${from}, ${to})`);
  }

  /** What the lost primary held. Loses it, the first time. */
  async truth(): Promise<string> {
    if (this.#truth !== undefined) return this.#truth;
    await this.#journal(51, 80);
    await archiveNow(this.lab);
    this.#truth = await digestOfData(this.lab, 'primary');
    await this.lab.destroyPrimary();
    return this.#truth;
  }

  /** Makes the lab ready for one run of a scene. */
  async set(scene: SceneName, faults: readonly string[]): Promise<void> {
    await plantFaults(this.faults, []);
    await this.keeper.allBack();
    if (scene !== 'backup') await this.truth();
    if (scene !== 'backup' && scene !== 'in-place') await this.#emptyTarget();
    if (scene === 'in-place' && !(await this.#drServes())) {
      await this.#emptyTarget();
      await this.lab.expect(
        'recover',
        'acme',
        '--to',
        'dr',
        '--reason',
        'the scene',
        '--on-failure',
        'abort',
      );
    }
    await plantFaults(this.faults, faults);
  }

  async #emptyTarget(): Promise<void> {
    await this.lab.resetDr();
    await clearLeftovers(this.lab.lab);
    await plantOldData(this.lab.lab);
    await rm(siteDir(this.lab.lab, 'primary', 'state', 'fenced'), { force: true });
  }

  async #drServes(): Promise<boolean> {
    const states = await serverStates(haproxySocket(this.lab.lab), 'gateways');
    return states.every(({ name, up, admin }) => (name.startsWith('dr') ? up && admin !== 'maint' : true));
  }

  /** What the works of the last run wrote and renamed. */
  trace(): Promise<Traced[]> {
    return readTrace(this.faults);
  }

  async down(): Promise<void> {
    await this.keeper.end();
    await this.lab.down();
  }
}

/** The lab makes nothing ready by itself: this command counts how often it was called. */
async function provisionByCommand(lab: TestLab): Promise<void> {
  const file = configFile(lab.lab);
  const config = parse(await readFile(file, 'utf8')) as {
    deployments: { acme: { sites: { dr: Record<string, unknown> } } };
  };
  config.deployments.acme.sites.dr['provision'] = ['sh', '-c', `echo provisioned >> ${provisionLog(lab)}`];
  await writeFile(file, stringify(config, { lineWidth: 120 }), { mode: 0o600 });
}

async function archiveNow(lab: TestLab): Promise<void> {
  const query = <T>(text: string): Promise<T[]> => sqlOn<T>(lab.lab, 'primary', text);
  const [asked] = await query<{ segment: string }>('SELECT pg_walfile_name(pg_switch_wal()) AS segment');
  for (const deadline = Date.now() + ARCHIVE_TIMEOUT_MS; Date.now() < deadline; await sleep(100)) {
    const [last] = await query<{ wal: string }>('SELECT last_archived_wal AS wal FROM pg_stat_archiver');
    if (last!.wal >= asked!.segment) return;
  }
  throw new Error(`${asked!.segment} was not archived`);
}

const ARCHIVE_TIMEOUT_MS = 60_000;
