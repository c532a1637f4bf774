import type { DeploymentShape } from './shape.ts';

/** Whom the loss of a site concerns, and where to. Pure. */

/**
 * @param to the target that somebody has named; else the one other site that is not for drills only
 * @returns the target, or why the deployment is left out
 */
export function fleetTarget(
  { sites, drill }: Pick<DeploymentShape, 'sites' | 'drill'>,
  lost: string,
  to: string | undefined,
): { readonly to: string } | { readonly why: string } {
  if (!Object.hasOwn(sites, lost)) return { why: `it has no site ${lost}` };
  if (to !== undefined) return Object.hasOwn(sites, to) ? { to } : { why: `it has no site ${to}` };
  const others = Object.keys(sites).filter((site) => site !== lost && site !== drill?.site);
  const [only] = others;
  if (only === undefined) return { why: `it has no other site than ${lost}` };
  if (others.length > 1) return { why: `it has several other sites, ${others.join(', ')}: --to says which` };
  return { to: only };
}

/**
 * Where a failover goes: to the standby, which is known by the configuration, or as the only other site, or by its mark.
 *
 * @param limit only a standby at this site
 * @param configured `monitor.to`
 * @param marked asks the workers which of these sites follow the lost one; asked only where nothing else tells
 */
export async function standbyTarget(
  { sites, drill }: Pick<DeploymentShape, 'sites' | 'drill'>,
  lost: string,
  limit: string | undefined,
  configured: string | undefined,
  marked: (candidates: readonly string[]) => Promise<readonly string[]>,
): Promise<{ readonly to: string } | { readonly why: string; readonly kind: 'left-out' | 'refused' }> {
  const leftOut = (why: string) => ({ why, kind: 'left-out' as const });
  if (!Object.hasOwn(sites, lost)) return leftOut(`it has no site ${lost}`);
  if (limit !== undefined && !Object.hasOwn(sites, limit)) return leftOut(`it has no site ${limit}`);
  const others = Object.keys(sites).filter((site) => site !== lost && site !== drill?.site);
  if (others.length === 0) return leftOut(`it has no other site than ${lost}`);
  const known = configured !== undefined && others.includes(configured) ? [configured] : others;
  const standbys = known.length === 1 ? known : await marked(others);
  if (standbys.length === 0)
    return {
      why: `no worker of ${others.join(' and ')} says that its site follows ${lost}`,
      kind: 'refused',
    };
  if (limit !== undefined)
    return standbys.includes(limit)
      ? { to: limit }
      : leftOut(`its standby is at ${standbys.join(' and ')}, not at ${limit}`);
  if (standbys.length > 1)
    return { why: `${standbys.join(' and ')} both follow ${lost}: --to says which`, kind: 'refused' };
  return { to: standbys[0]! };
}
