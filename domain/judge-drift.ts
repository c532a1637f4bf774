import { doubtful, fine, type Finding, type HostReport, type TreePrint } from './doctor.ts';
import type { HostFigures, Prints } from './figures.ts';
import { liveHosts } from './standing.ts';
import { compareVersions } from './version.ts';

/** Whether a standby would serve what the site that it follows serves: files, certificates, versions. Pure. */

type Report = Pick<HostReport, 'site'> & Prints;

export function judgeDrift(reports: readonly Report[], figures: readonly HostFigures[]): Finding[] {
  const live = liveHosts(figures)[0]?.site;
  const standbys = [
    ...new Set(figures.flatMap(({ site, replication }) => (replication?.follows === live ? [site] : []))),
  ];
  if (live === undefined) return [];
  const source = reports.filter(({ site }) => site === live);
  return standbys.flatMap((site) => {
    const own = reports.filter((report) => report.site === site);
    const found = [...files(site, own, live, source), ...newerVersions(site, own, live, source)];
    return found.length > 0
      ? found
      : [fine('drift', site, `configuration, files, certificates and versions are those of ${live}`)];
  });
}

function files(site: string, own: readonly Report[], live: string, source: readonly Report[]): Finding[] {
  if (new Set([...own, ...source].map(({ recipient }) => recipient)).size > 1)
    return [doubtful('drift', site, `not compared with ${live}: the workers have different age identities`)];
  const [mine, theirs] = [own, source].map((group) => group.flatMap(({ trees = [] }) => trees));
  if (mine!.length === 0 || theirs!.length === 0)
    return [doubtful('drift', site, `not compared with ${live}: a worker tells nothing of its files`)];
  return mine!.flatMap((tree) => {
    const other = counterpart(tree, theirs!);
    if (!other) return [];
    const problem = tree.problem ?? other.problem;
    if (problem !== undefined) {
      const where = tree.problem === undefined ? `${other.name} of ${live}` : tree.name;
      return [doubtful('drift', site, `not compared: ${where}: ${problem}`)];
    }
    return [...partsOf(site, tree, other, live), ...certificatesOf(site, tree, other, live)];
  });
}

/** As a restore chooses it: of the same name, else the first. */
function counterpart(tree: TreePrint, others: readonly TreePrint[]): TreePrint | undefined {
  const same = others.filter(({ kind }) => kind === tree.kind);
  return same.find(({ name }) => name === tree.name) ?? same[0];
}

/** As many as a line bears. */
const MOST_NAMED = 8;

function partsOf(site: string, tree: TreePrint, other: TreePrint, live: string): Finding[] {
  const theirs = new Map(other.parts.map(({ name, digest }) => [name, digest]));
  const mine = new Map(tree.parts.map(({ name, digest }) => [name, digest]));
  const names = [...new Set([...theirs.keys(), ...mine.keys()])];
  const differing = names.filter((name) => mine.get(name) !== theirs.get(name));
  if (differing.length === 0) return [];
  const more = differing.length > MOST_NAMED ? ` and ${differing.length - MOST_NAMED} more` : '';
  return [
    doubtful(
      'drift',
      site,
      `${tree.name} differs from ${other.name} of ${live} in ${differing.slice(0, MOST_NAMED).join(', ')}${more}`,
    ),
  ];
}

function certificatesOf(site: string, tree: TreePrint, other: TreePrint, live: string): Finding[] {
  return tree.certificates.flatMap(({ subject, sha256, validTo }) => {
    if (other.certificates.some((each) => each.sha256 === sha256)) return [];
    const theirs = other.certificates.map((each) => `${each.subject} until ${each.validTo}`).join('; ');
    return [
      doubtful(
        'drift',
        site,
        `${tree.name} shows the certificate ${subject} until ${validTo}; ${live} shows ${theirs || 'none'}`,
        'Right where each site has a name of its own; else bring the newer certificate to both.',
      ),
    ];
  });
}

/** Older ones are errors of the check `versions`. */
function newerVersions(
  site: string,
  own: readonly Report[],
  live: string,
  source: readonly Report[],
): Finding[] {
  const running = source.flatMap(({ versions }) => versions);
  return own
    .flatMap(({ versions }) => versions)
    .flatMap(({ name, component, version }) => {
      const other = running.find((each) => each.component === component)?.version;
      if (version === undefined || other === undefined || compareVersions(version, other) <= 0) return [];
      return [
        doubtful(
          'drift',
          site,
          `${name} is ${version}, newer than ${other} of ${live}: once it has written, there may be no way back`,
          'Upgrade the site that serves as well, or the standby after it.',
        ),
      ];
    });
}
