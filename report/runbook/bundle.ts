import type { Deployment } from '../../domain/config.ts';
import type { RecoverPlan } from '../../domain/plan.ts';
import { byHand } from './facts.ts';
import { runbookPage } from './page.ts';
import { plansFor } from './plans.ts';
import { recoveryScript, type ScriptParts } from './script.ts';

/** All files of an exported runbook: the page, a script for each site that one can recover, and what the others need by hand. Pure. */

export interface BundleInput {
  readonly name: string;
  readonly deployment: Deployment;
  /** Only this one; default all. */
  readonly site?: string;
  readonly version: string;
  readonly writtenAt: string;
  readonly configDigest: string;
  readonly digestOf: (plan: RecoverPlan) => string;
  readonly parts: ScriptParts;
}

export interface Bundle {
  readonly files: Readonly<Record<string, string>>;
  /** Sites without a script, with the reasons. */
  readonly byHand: Readonly<Record<string, readonly string[]>>;
}

export function runbookBundle(input: BundleInput): Bundle {
  const { name, deployment, digestOf } = input;
  const plans = Object.fromEntries(
    Object.keys(deployment.sites).map((site) => [site, plansFor(name, deployment, site, digestOf)]),
  );
  const page = { ...input, plans, byHandCommands: input.parts['by-hand.sh'] };
  const files: Record<string, string> = { 'runbook.html': runbookPage(page) };
  const without: Record<string, string[]> = {};
  for (const site of input.site === undefined ? Object.keys(deployment.sites) : [input.site]) {
    const reasons = byHand(deployment, site);
    if (reasons.length > 0) without[site] = reasons;
    else files[`recover-${site}.sh`] = recoveryScript({ ...input, site, plans: plans[site]! });
  }
  const redisByHand = Object.keys(without).some((site) => deployment.sites[site]!.redis);
  if (redisByHand) files['redis-keys.pl'] = input.parts['redis-keys.pl'];
  return { files, byHand: without };
}
