import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GATEWAYS, siteDir, type Lab } from '../../../lab/layout.ts';

/** What lies on the target before a recovery: an undo must bring it back to the byte, and a recovery must leave none. */

interface Place {
  /** The step that replaces it. */
  readonly step: string;
  readonly folder: readonly string[];
  readonly files: readonly string[];
}

const PLACES: readonly Place[] = [
  { step: 'restore-redis-data', folder: ['redis', 'data'], files: ['dump.rdb', 'appendonlydir/old.aof'] },
  { step: 'restore-database-data', folder: ['postgres', 'data'], files: ['old', 'base/1/old'] },
  { step: 'restore-dashboard-config', folder: ['dashboard'], files: ['tyk_analytics.conf'] },
  ...GATEWAYS.map((gateway) => ({
    step: 'restore-gateway-config',
    folder: ['gateways', gateway],
    files: ['tyk.conf', 'middleware/old.js'],
  })),
  { step: 'start-pump', folder: ['pump'], files: ['pump.conf'] },
];

export async function plantOldData(lab: Lab): Promise<void> {
  for (const { folder, files } of PLACES)
    for (const file of files) {
      const path = join(siteDir(lab, 'dr', ...folder), file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, `old ${folder.join('/')}/${file}`);
    }
}

/** By step: what is not as it was planted. Empty where all is. */
export async function changedOldData(lab: Lab): Promise<Map<string, string[]>> {
  const changed = new Map<string, string[]>();
  for (const { step, folder, files } of PLACES) {
    const root = siteDir(lab, 'dr', ...folder);
    const expected = new Map(files.map((file) => [file, digest(`old ${folder.join('/')}/${file}`)]));
    const found = await filesBelow(root);
    const wrong = [...new Set([...expected.keys(), ...found.keys()])].filter(
      (file) => expected.get(file) !== found.get(file),
    );
    if (wrong.length > 0)
      changed.set(step, [...(changed.get(step) ?? []), ...wrong.map((file) => join(...folder, file))]);
  }
  return changed;
}

/** What a restore, a switch or an undo may leave, and must not once a run has ended. */
export async function leftovers(lab: Lab): Promise<string[]> {
  const found: string[] = [];
  for (const folder of [
    ['redis'],
    ['postgres'],
    ['dashboard'],
    ['gateways'],
    ['pump'],
    ...GATEWAYS.map((name) => ['gateways', name]),
  ])
    for (const name of await readdir(siteDir(lab, 'dr', ...folder)).catch(() => []))
      if (name.includes('tyk-dr-new') || name.includes('tyk-dr-old')) found.push(join(...folder, name));
  return found;
}

export async function clearLeftovers(lab: Lab): Promise<void> {
  for (const path of await leftovers(lab))
    await rm(siteDir(lab, 'dr', path), { recursive: true, force: true });
}

async function filesBelow(root: string): Promise<Map<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, string>();
  for (const entry of entries) {
    // What the Dashboard writes there while it runs is no old data.
    if (entry.isDirectory() || entry.name === 'audit.log') continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(root.length + 1), digest(await readFile(path)));
  }
  return files;
}

function digest(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
