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
