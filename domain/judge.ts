import {
  doubtful,
  fine,
  KEY_NAMES,
  wrong,
  type Examination,
  type Finding,
  type HostReport,
  type KeyName,
} from './doctor.ts';
import { judgeDrift } from './judge-drift.ts';
import { judgeReplication } from './judge-replication.ts';
import { groupBy } from './group.ts';
import type { HostFigures } from './figures.ts';
import { liveHosts, liveSites, standingLine, standings, storesOf } from './standing.ts';
import { compareVersions } from './version.ts';

/** What no host can see alone: whether they agree with each other, and whether one of them is enough. Pure. */

export function judge(
  { reports, figures, silent }: Examination,
  sites: readonly string[],
  rpoMs: number,
): Finding[] {
  return [
    ...silent,
    ...serving(figures, silent.length > 0),
    ...reports.flatMap(({ findings }) => findings),
    ...secretSet(reports),
    ...keyCopies(reports, figures, sites, silent.length > 0),
    ...versions(reports, figures),
    ...judgeReplication(figures),
    ...judgeDrift(reports, figures),
    ...freshness(figures, rpoMs),
  ];
}

const DEPLOYMENT = 'deployment';

function serving(figures: readonly HostFigures[], incomplete: boolean): Finding[] {
  const live = liveSites(figures);
  const fenced = new Map(
    figures.flatMap(({ site, fencedBy }) => (fencedBy === undefined ? [] : [[site, fencedBy]])),
  );
  const found = [...fenced].map(([site, by]) =>
    doubtful('serving', site, `the site was given up by ${by}: nothing of it may start`),
  );
  if (live.length > 1)
    found.push(wrong('serving', DEPLOYMENT, `more than one site runs its stores: ${live.join(', ')}`));
  if (live.length === 0)
    found.push(
      incomplete
        ? doubtful('serving', DEPLOYMENT, 'no site that answers runs its stores')
        : wrong('serving', DEPLOYMENT, 'no site runs its stores'),
    );
  return live.length === 1 ? [fine('serving', live[0]!, 'this site serves'), ...found] : found;
}

/** Fingerprints can be compared only where they were keyed with the same identity. */
function secretSet(reports: readonly HostReport[]): Finding[] {
  const found: Finding[] = [];
  const groups = groupBy(reports, ({ recipient }) => recipient ?? 'no identity');
  if (groups.size > 1)
    found.push(
      doubtful(
        'secret-set',
        DEPLOYMENT,
        'not compared between all workers: they have different age identities',
      ),
    );
  for (const group of groups.values()) {
    const byField = groupBy(
      group.flatMap(({ fingerprints }) => fingerprints),
      ({ field }) => field,
    );
    for (const [field, prints] of byField) {
      const camps = [...groupBy(prints, ({ digest }) => digest).values()];
      if (camps.length < 2) continue;
      const places = camps.map((camp) => camp.map(({ place }) => place).join(', '));
      found.push(
        wrong('secret-set', DEPLOYMENT, `${field} differs: ${places.join(' have one; another have ')}`),
      );
    }
  }
  const compared = new Set(reports.flatMap(({ fingerprints }) => fingerprints.map(({ field }) => field)));
  return found.length > 0
    ? found
    : [fine('secret-set', DEPLOYMENT, `${[...compared].join(', ')} agree everywhere`)];
}

/** Without these, no set opens; without the signing key only no new one can be made. */
const LOST_WITH: Readonly<Record<KeyName, 'error' | 'warning'>> = {
  identity: 'error',
  // Every set holds it, sealed for each recipient.
  passphrase: 'warning',
  signingKey: 'warning',
};

function keyCopies(
  reports: readonly HostReport[],
  figures: readonly HostFigures[],
  sites: readonly string[],
  incomplete: boolean,
): Finding[] {
  const [live] = liveHosts(figures);
  const used = KEY_NAMES.filter((name) => reports.some(({ keys }) => keys.includes(name)));
  if (sites.length === 1)
    return [
      doubtful(
        'key-copies',
        DEPLOYMENT,
        'there is one site only: the age identity of another recipient must be kept elsewhere, which cannot be seen from here',
      ),
    ];
  if (!live || incomplete)
    return [doubtful('key-copies', DEPLOYMENT, 'not measured: the workers of every site must answer')];
  const found = KEY_NAMES.flatMap((name) => {
    // A key that nobody has is no key of this deployment, except the one that every deployment has.
    if (!used.includes(name) && name !== 'identity') return [];
    const elsewhere = reports.some(({ site, keys }) => site !== live.site && keys.includes(name));
    if (elsewhere) return [];
    const message = `backup ${name}: no site but ${live.site} has a copy outside its own folders`;
    return [
      LOST_WITH[name] === 'error'
        ? wrong('key-copies', live.site, message)
        : doubtful('key-copies', live.site, message),
    ];
  });
  return found.length > 0 ? found : [fine('key-copies', DEPLOYMENT, 'another site has each key as well')];
}

function versions(reports: readonly HostReport[], figures: readonly HostFigures[]): Finding[] {
  const live = liveHosts(figures)[0]?.site;
  const newest = reports.find(({ newestSet }) => newestSet)?.newestSet;
  const running = reports.filter(({ site }) => site === live).flatMap((report) => report.versions);
  const found: Finding[] = [];
  const good: string[] = [];
  for (const { site, versions: installed } of reports) {
    for (const { name, component, version } of installed) {
      const references = [
        ...running
          .filter((other) => other.component === component && site !== live)
          .map((other) => ({ of: `${other.name} of ${live}`, version: other.version })),
        { of: `set ${newest?.set ?? ''}`, version: newest?.versions[component] },
      ].flatMap((each) => (each.version === undefined ? [] : [{ of: each.of, version: each.version }]));
      if (version === undefined) {
        found.push(doubtful('versions', site, `${name}: the installed version is not measured`));
        continue;
      }
      const newer = references.find((each) => compareVersions(version, each.version) < 0);
      if (!newer) {
        good.push(`${name} ${version}`);
        continue;
      }
      const text = `${name} is ${version}, older than ${newer.version} of ${newer.of}`;
      // Definitions change with minor versions; a patch reads what its minor version reads.
      const patchOnly = compareVersions(version, newer.version, 2) === 0;
      found.push(patchOnly ? doubtful('versions', site, text) : wrong('versions', site, text));
    }
  }
  return found.length > 0
    ? found
    : [fine('versions', DEPLOYMENT, [...new Set(good)].join(', ') || 'nothing to compare')];
}

function freshness(figures: readonly HostFigures[], rpoMs: number): Finding[] {
  return standings(figures, storesOf(figures), rpoMs).map((standing) => {
    const line = standingLine(standing);
    if (standing.state === 'in bounds') return fine('freshness', DEPLOYMENT, line);
    return standing.state === 'out of bounds'
      ? wrong('freshness', DEPLOYMENT, line)
      : doubtful('freshness', DEPLOYMENT, line);
  });
}
