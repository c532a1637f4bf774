import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { heal } from './break.ts';
import { SITES, type Lab } from './layout.ts';
import { stop } from './services.ts';

/** Stops what runs: clients first, stores last; with `destroy`, nothing is left. */
export async function down(lab: Lab, destroy: boolean): Promise<void> {
  for (const site of SITES) await heal(lab, site);
  const declared = await readdir(join(lab.dir, 'services')).catch(() => []);
  const order = [
    'clients',
    'writer',
    'worker',
    'haproxy',
    'pump',
    'gw',
    'dashboard',
    'upstream',
    'temporal',
    'redis',
    'postgres',
    'mongodb',
  ];
  const rank = (name: string): number => order.findIndex((part) => name.includes(part));
  const waves = new Map<number, string[]>();
  for (const name of declared) waves.set(rank(name), [...(waves.get(rank(name)) ?? []), name]);
  for (const [, names] of [...waves].sort(([a], [b]) => a - b))
    await Promise.all(names.map((name) => stop(lab, name)));
  if (destroy) await rm(lab.dir, { recursive: true, force: true });
}
