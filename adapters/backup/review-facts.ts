import { fingerprint, signatureProblem } from '../ssh/signature.ts';
import { readLooks } from '../host/look.ts';
import { readAvailability } from '../witness/read.ts';
import type { AvailabilityFacts } from '../../domain/availability.ts';
import type { Deployment } from '../../domain/config.ts';
import { entriesOf, signOffText, type Entry } from '../../domain/journal.ts';
import { workersOfSites } from '../../domain/site-workers.ts';
import type { HostLook } from '../../domain/undeclared.ts';

/** What a review tells besides runs and findings: who has signed, how available it was, what runs undeclared. */

export interface ReviewFacts {
  /** By the id of a sign-off. */
  readonly identities: ReadonlyMap<string, string>;
  readonly availability: AvailabilityFacts;
  readonly hosts: { readonly looks: readonly HostLook[]; readonly workers: readonly string[] };
}

export async function reviewFacts(
  name: string,
  deployment: Deployment,
  entries: readonly Entry[],
): Promise<ReviewFacts> {
  return {
    identities: await identitiesOf(name, deployment, entries),
    availability: await availabilityOf(deployment),
    hosts: { looks: await readLooks(deployment.backup, name), workers: workersOfSites(deployment) },
  };
}

/** Of each sign-off, whether it was shown who it was: verified anew each time. */
async function identitiesOf(
  name: string,
  deployment: Deployment,
  entries: readonly Entry[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { id, actor, quarter, review, role, signed } of entriesOf(entries, 'signed')) {
    const who = (deployment.approvers ?? []).find((each) => each.name === actor);
    if (!signed) found.set(id, 'asserted, not proven');
    else if (who?.key === undefined) found.set(id, 'signed, but the configuration has no key of this name');
    else {
      const text = signOffText({ deployment: name, quarter, review, role, actor, at: signed.at });
      const problem = await signatureProblem(text, signed.signature, { name: who.name, key: who.key });
      found.set(
        id,
        problem === undefined ? `proven, signed with ${fingerprint(who.key)}` : `REFUSED: ${problem}`,
      );
    }
  }
  return found;
}

const PERIODS = [30, 365];

async function availabilityOf(deployment: Deployment): Promise<AvailabilityFacts> {
  const { witness, slos } = deployment;
  if (witness === undefined) return { why: 'no witness is configured (deployments.NAME.witness)' };
  const measured = await readAvailability(witness, PERIODS, Date.now());
  if (!measured) return { why: `the file of the witness, ${witness}, is not on this host` };
  return {
    measured,
    ...(slos.availabilityPercent === undefined ? {} : { sloPercent: slos.availabilityPercent }),
  };
}
