import type { HostLook } from '../domain/undeclared.ts';
import type { Section } from './document.ts';

/** Running components that the configuration does not declare, as a part of the review. Pure. */

export interface LookFacts {
  readonly looks: readonly HostLook[];
  /** Of the deployment. */
  readonly workers: readonly string[];
}

const STALE_MS = 2 * 86_400_000;

export function undeclaredSection(facts: LookFacts | undefined, now: string): Section {
  const { looks = [], workers = [] } = facts ?? {};
  const fresh = looks.filter(({ at }) => Date.parse(now) - Date.parse(at) <= STALE_MS);
  const silent = workers.filter((worker) => !fresh.some((look) => look.worker === worker));
  const blind = fresh.filter(({ unknown }) => unknown.length > 0);
  const rows = fresh.flatMap(({ worker, at, undeclared }) =>
    undeclared.map(({ kind, program, ports }) => [worker, kind, program, ports.join(', '), at]),
  );
  return {
    title: `Running components that the configuration does not declare: ${fresh.length === 0 ? 'not looked for' : rows.length}`,
    text: [
      ...(silent.length > 0
        ? [
            `Nobody has looked in the last two days on the hosts of ${silent.join(', ')}: workers of a deployment with a beacon do, once an hour.`,
          ]
        : []),
      ...blind.map(
        ({ worker, unknown }) =>
          `The worker ${worker} may not see what listens on ${unknown.slice(0, 20).join(', ')}: run it as root to know.`,
      ),
    ],
    table: { head: ['worker', 'kind', 'program', 'ports', 'seen at'], rows },
  };
}
