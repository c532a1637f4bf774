import { existsSync } from 'node:fs';
import { appendFile, cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { killService } from '../../../lab/break.ts';
import { SITES, type SiteName } from '../../../lab/layout.ts';
import { pidOf } from '../../../lab/services.ts';
import { comeFaults, letGo, hasCome } from '../../harness/faults.ts';
import type { TestLab } from '../../harness/lab.ts';
import type { Cell } from './cells.ts';
import { decideThrough } from './decide.ts';

/** What stands for hosts and operators: starts again what was killed, and kills what is no worker's own doing. */

const PROGRAM = fileURLToPath(new URL('../../../bin/tyk-dr.js', import.meta.url));
const POLL_MS = 20;

export class Keeper {
  readonly #lab: TestLab;
  readonly #faults: string;
  readonly #over = new AbortController();
  readonly #pids = new Map<SiteName, number | undefined>();
  /** Sites whose worker is being exchanged: not to be revived meanwhile. */
  readonly #busy = new Set<SiteName>();
  #keeping: Promise<unknown> = Promise.resolve();
  #killing: Promise<void> = Promise.resolve();
  readonly #siteOf: (cell: Cell) => SiteName;
  #builds = 0;

  /** @param siteOf whose worker runs a point */
  constructor(lab: TestLab, faults: string, siteOf: (cell: Cell) => SiteName = siteOfRestore) {
    this.#lab = lab;
    this.#faults = faults;
    this.#siteOf = siteOf;
  }

  async begin(): Promise<void> {
    await Promise.all(SITES.map((site) => this.#lab.restartWorker(site, this.#env())));
    this.#keeping = Promise.all(SITES.map((site) => this.#keep(site)));
  }

  async end(): Promise<void> {
    this.#over.abort();
    await this.#keeping;
  }

  #env(): Record<string, string> {
    return { TYK_DR_FAULT_DIR: this.#faults, MALLOC_ARENA_MAX: '2' };
  }

  async #keep(site: SiteName): Promise<void> {
    while (!this.#over.signal.aborted) {
      if (!this.#busy.has(site) && !this.#lives(site)) {
        await this.#lab.revive(`worker-${site}`);
        this.#pids.set(site, await pidOf(this.#lab.lab, `worker-${site}`));
      }
      await sleep(POLL_MS);
    }
  }

  #lives(site: SiteName): boolean {
    const pid = this.#pids.get(site);
    return pid !== undefined && existsSync(`/proc/${pid}`);
  }

  async allBack(): Promise<void> {
    while (SITES.some((site) => !this.#lives(site))) await sleep(POLL_MS);
  }

  /** Does to a run what a cell wants done to it from outside, when it comes to its point. */
  async disturb(cell: Cell, run: AbortSignal): Promise<void> {
    switch (cell.moment) {
      case 'temporal-killed':
        // The effect comes about while there is no server to hear of it.
        if (await this.comes(cell.fault, run)) await this.killTemporal(() => this.letGo(cell.fault));
        return;
      case 'new-build':
        if (await this.comes(cell.fault, run)) await this.#newBuild(cell);
        return;
      case 'refused-once':
        if (cell.expected.retry && (await this.comes(cell.fault, run))) await this.#retry(cell, run);
        return;
      case 'worker-waiting':
      case 'worker-decided':
      case 'temporal-waiting':
      case 'temporal-decided':
        return await decideThrough(this.#lab, this, cell, run);
      default:
    }
  }

  async comes(fault: string, run: AbortSignal): Promise<boolean> {
    while (!run.aborted) {
      if (await hasCome(this.#faults, fault)) return true;
      await sleep(POLL_MS);
    }
    return false;
  }

  letGo(fault: string): Promise<void> {
    return letGo(this.#faults, fault);
  }

  /** One at a time: two cells may want it dead at once. */
  async killTemporal(meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    const kill = async (): Promise<void> => {
      await killService(this.#lab.lab, 'temporal');
      await meanwhile();
      await sleep(TEMPORAL_AWAY_MS);
      await this.#lab.revive('temporal');
    };
    await (this.#killing = this.#killing.then(kill));
  }

  /** Every one that there is: no one is left who knows the run. They are started again at once. */
  async killWorkers(): Promise<void> {
    for (const site of SITES) {
      const pid = this.#pids.get(site);
      if (pid !== undefined && this.#lives(site)) process.kill(pid, 'SIGKILL');
    }
    while (SITES.some((site) => this.#lives(site))) await sleep(1);
    await this.allBack();
  }

  /** Asked to end in the middle of the work; what it hands over is taken up by another build. */
  async #newBuild(cell: Cell): Promise<void> {
    const site = this.#siteOf(cell);
    this.#busy.add(site);
    try {
      const pid = await pidOf(this.#lab.lab, `worker-${site}`);
      if (pid !== undefined) process.kill(pid, 'SIGTERM');
      await this.letGo(cell.fault);
      while (pid !== undefined && existsSync(`/proc/${pid}`)) await sleep(POLL_MS);
      await this.#lab.startWorker(site, this.#env(), await this.#otherBuild());
      this.#pids.set(site, await pidOf(this.#lab.lab, `worker-${site}`));
    } finally {
      this.#busy.delete(site);
    }
  }

  /** Built from other code, with another version; every other time, our own. */
  async #otherBuild(): Promise<string> {
    this.#builds += 1;
    if (this.#builds % 2 === 0) return PROGRAM;
    const folder = join(this.#lab.lab.dir, 'next-build');
    if (!existsSync(folder)) await copyBuild(folder);
    return join(folder, 'bin', 'tyk-dr.js');
  }

  async #retry({ step }: Cell, run: AbortSignal): Promise<void> {
    while (!run.aborted) {
      const words = ['acme', '--step', step!.id, '--reason', 'the cause is gone'];
      if ((await this.#lab.run('retry', ...words)).exitCode === 0) return;
    }
  }

  come(faults: readonly string[]): Promise<string[]> {
    return comeFaults(this.#faults, faults);
  }
}

/** Long enough for the work of most steps, short enough for its heartbeats. */
const TEMPORAL_AWAY_MS = 500;

function siteOfRestore({ scene, step }: Cell): SiteName {
  return scene === 'backup' || step?.where === 'source' ? 'primary' : 'dr';
}

/** Compiled code with other bytes, of which the build's own script makes bundles and digests. */
async function copyBuild(folder: string): Promise<void> {
  const root = join(PROGRAM, '..', '..');
  await mkdir(folder);
  for (const part of ['dist', 'bin']) await cp(join(root, part), join(folder, part), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  // The script asks whether there is a source of what lies in dist/.
  for (const part of await readdir(join(root, 'dist'), { withFileTypes: true }))
    if (part.isDirectory()) await symlink(join(root, part.name), join(folder, part.name));
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  await writeFile(join(folder, 'package.json'), JSON.stringify({ ...manifest, version: '99.0.0' }));
  await appendFile(join(folder, 'dist', 'workflows', 'recover.js'), '\n// the next build\n');
  await execa(process.execPath, [join(folder, 'dist', 'scripts', 'bundle-workflows.js')]);
}
