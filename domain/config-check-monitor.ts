import { addressesOf, hostPort } from './addresses.ts';
import type { Deployment } from './config.ts';
import type { ConfigProblem } from './config-check.ts';
import { sitesOfWorker } from './monitor-places.ts';
import { sameHost } from './same-host.ts';

/** A monitor that could not decide, or would decide with one pair of eyes. */
export function monitorIsSound(deployment: Deployment): ConfigProblem[] {
  const { monitor, sites, drill, approvers } = deployment;
  if (!monitor) return [];
  const problem = (field: (string | number)[], message: string): ConfigProblem => ({
    path: ['monitor', ...field],
    message,
  });
  const { observers, quorum, to, onFailure } = monitor;
  const places = new Set(observers.map((worker) => sitesOfWorker(sites, worker).join() || worker));
  const unknown = to !== undefined && !(to in sites);
  return [
    ...observers.flatMap((worker, index) =>
      observers.indexOf(worker) < index
        ? [problem(['observers', index], `'${worker}' again; expected different workers`)]
        : [],
    ),
    ...(places.size < 2
      ? [problem(['observers'], 'all are on one site; expected workers of at least two sites')]
      : []),
    ...(quorum !== undefined && quorum > observers.length
      ? [problem(['quorum'], `${quorum} of ${observers.length}; expected no more than there are observers`)]
      : []),
    ...(quorum !== undefined && quorum * 2 <= observers.length
      ? [
          problem(
            ['quorum'],
            `${quorum} of ${observers.length}; expected more than half: two sides of a cut could both decide`,
          ),
        ]
      : []),
    ...(unknown
      ? [problem(['to'], `no site is called '${to}'; expected one of ${Object.keys(sites).join(', ')}`)]
      : []),
    ...(to !== undefined && to === drill?.site
      ? [problem(['to'], `${to} is the site of drills; expected one that may serve`)]
      : []),
    ...(onFailure !== 'notify' && (approvers ?? []).length === 0
      ? [
          problem(
            ['onFailure'],
            `${onFailure} without approvers; expected people under approvers: a proposal waits for their word, and what may not start by itself becomes one`,
          ),
        ]
      : []),
    ...monitor.references.flatMap((reference, index) =>
      isOfASite(deployment, reference)
        ? [
            problem(
              ['references', index],
              `${reference} belongs to a site; expected an address outside every site`,
            ),
          ]
        : [],
    ),
  ];
}

function isOfASite({ sites, traffic }: Deployment, reference: string): boolean {
  const { host, port } = hostPort(reference);
  const outside = traffic ? new URL(traffic.url) : undefined;
  const own = [
    ...Object.values(sites).flatMap(addressesOf),
    ...(outside ? [{ host: outside.hostname, port: Number(outside.port) }] : []),
  ];
  return own.some((each) => each.port === port && sameHost(each.host) === sameHost(host));
}
