import { tcpProblem } from '../adapters/host/ports.ts';
import { within } from '../adapters/process/within.ts';
import { connect } from '../adapters/redis/client.ts';
import { serviceState } from '../adapters/service/service.ts';
import { dashboardAlive } from '../adapters/tyk/dashboard.ts';
import { gatewayHello } from '../adapters/tyk/gateway.ts';
import { addressesOf, hostPort } from '../domain/addresses.ts';
import type { MarkedStore } from '../domain/beacon.ts';
import type { Deployment, Site } from '../domain/config.ts';
import type { PartView, View, Watched } from '../domain/monitor.ts';
import { isOneServer } from '../domain/redis-kind.ts';
import { sameHost } from '../domain/same-host.ts';
import { redisEndpoint } from './endpoints.ts';
import type { Deps } from './guard.ts';
import { hideByForm } from './hide-secrets.ts';
import { seenByStream } from './monitor-stream.ts';
import { answersAsExpected, sendProbe } from './probes.ts';
import { serves, servicesOf, type SiteService } from './site.ts';

/**
 * What one observer can find out of a site within a moment. Every probe has a hard limit of its own, so that one that
 * hangs keeps no other waiting; none throws, for not to be reached is an answer.
 */

export interface Watching {
  readonly deps: Pick<Deps, 'worker' | 'secret'>;
  readonly deployment: Deployment;
  readonly siteName: string;
  readonly site: Site;
  /** Of each probe, milliseconds. */
  readonly limitMs: number;
}

export type Found = Pick<PartView, 'seen' | 'why'>;

/** As clients would: `/hello` and up to three configured API requests at the address that they use. */
export async function probeOutside(watching: Watching): Promise<View['outside']> {
  const { deployment, deps, limitMs } = watching;
  const { traffic, probes } = deployment;
  if (!traffic) return { seen: 'unseen' };
  const asked = probes.filter(({ proves }) => proves === 'api').slice(0, MOST_PROBES);
  if (asked.length === 0) {
    const hello = await gatewayHello(traffic.url, limits(limitMs));
    return hello && hello.details['redis'] !== 'fail'
      ? { seen: 'up' }
      : { seen: 'down', why: hello ? 'it says that Redis fails' : '/hello is not answered' };
  }
  const call = { deployment, secret: deps.secret.bind(deps) };
  const answers = await Promise.all(
    asked.map(async (probe) => {
      const answer = await within(
        sendProbe(call, traffic.url, probe, limits(limitMs)),
        limitMs,
        'answer',
      ).catch((error: unknown) => ({ status: 0, body: '', error: textOf(error) }));
      const right = answersAsExpected(probe, answer);
      return {
        right,
        why: `${probe.name} was answered ${answer.status || (answer.error ?? 'with nothing')}`,
      };
    }),
  );
  return answers.some(({ right }) => right)
    ? { seen: 'up' }
    : { seen: 'down', why: cut(answers.map(({ why }) => why).join('; ')) };
}

/** Enough to tell one broken upstream from a site that serves nothing. */
const MOST_PROBES = 3;

/** Every component of the site, as far as this observer may reach it. */
export async function probeParts(watching: Watching): Promise<PartView[]> {
  const { site, siteName, deps } = watching;
  const services = servicesOf(siteName, site);
  const serviceOf = (name: string): SiteService | undefined => services.find((each) => each.name === name);
  const part = async (
    component: Watched,
    name: string,
    of: { readonly worker?: string | undefined },
    probe: (own: boolean) => Promise<Found>,
  ): Promise<PartView> => {
    const own = serves(deps.worker, site, of);
    const found = await within(probe(own), watching.limitMs * 2, 'answer').catch((error: unknown): Found => ({
      seen: 'down',
      why: cut(textOf(error)),
    }));
    const service = own && found.seen === 'down' ? serviceOf(name) : undefined;
    const state = service && (await stateText(service, watching.limitMs));
    const why = [found.why, state].filter((text) => text !== undefined).join('; ');
    return { component, name, seen: found.seen, ...(own ? { own } : {}), ...(why === '' ? {} : { why }) };
  };
  const { redis, database, dashboard, pump } = site;
  return Promise.all([
    ...(redis
      ? [part('redis', 'redis', redis, (own) => orByStream(watching, 'redis', probeRedis(watching, own)))]
      : []),
    ...(database
      ? [
          part('database', 'database', database, (own) =>
            orByStream(watching, 'database', probeTcp(watching, 'database', own)),
          ),
        ]
      : []),
    ...(dashboard
      ? [
          part('dashboard', 'dashboard', dashboard, (own) =>
            byHttp(dashboard.url, own, () => aliveDashboard(watching, dashboard.url)),
          ),
        ]
      : []),
    ...site.gateways.map((gateway) =>
      part('gateway', `gateway ${gateway.name}`, gateway, (own) =>
        byHttp(gateway.url, own, () => aliveGateway(watching, gateway.url)),
      ),
    ),
    ...(pump ? [part('pump', 'pump', pump, (own) => probePump(watching, own))] : []),
  ]);
}

/** Whether anything outside every site is reached: else the observer suspects itself. */
export async function reachesReference({ deployment, limitMs }: Watching): Promise<boolean> {
  const reached = await Promise.all(
    (deployment.monitor?.references ?? []).map((reference) => {
      const { host, port } = hostPort(reference);
      return within(tcpProblem(host, port), limitMs, 'answer').then(
        (problem) => problem === undefined,
        () => false,
      );
    }),
  );
  return reached.includes(true);
}

async function aliveGateway({ limitMs }: Watching, url: string): Promise<Found> {
  const hello = await gatewayHello(url, limits(limitMs));
  if (!hello) return { seen: 'down', why: `${url}/hello is not answered` };
  // Without its Redis it answers, and serves nobody.
  return hello.details['redis'] === 'fail'
    ? { seen: 'ailing', why: 'it says that Redis fails' }
    : { seen: 'up' };
}

async function aliveDashboard({ limitMs }: Watching, url: string): Promise<Found> {
  return (await dashboardAlive(url, limits(limitMs)))
    ? { seen: 'up' }
    : { seen: 'down', why: `${url}/hello does not say ok` };
}

/** An address that means the host of whoever asks is reached there only. */
async function byHttp(url: string, own: boolean, probe: () => Promise<Found>): Promise<Found> {
  return own || sameHost(new URL(url).hostname) !== 'this host' ? probe() : { seen: 'unseen' };
}

/** Where another site serves the clients as well, they are no witness of this one: its standby is. */
async function orByStream(watching: Watching, store: MarkedStore, looked: Promise<Found>): Promise<Found> {
  const found = await looked;
  if (found.seen !== 'unseen' || watching.deployment.strategy !== 'hot') return found;
  return seenByStream(watching, store).catch(() => found);
}

async function probeRedis(watching: Watching, own: boolean): Promise<Found> {
  const { site, deps, limitMs } = watching;
  const { redis } = site;
  // Of Sentinels and Clusters each node is asked whether it is there; who may write is theirs to settle.
  if (!own || !isOneServer(redis!)) return probeTcp(watching, 'redis', own);
  try {
    const endpoint = await redisEndpoint(redis!, deps.secret.bind(deps));
    (await connect({ ...endpoint, answerTimeoutMs: limitMs })).disconnect();
    return { seen: 'up' };
  } catch (error) {
    const why = cut(textOf(error));
    // It is there, and will answer: started again it would only begin anew.
    return /LOADING|NOAUTH|WRONGPASS|NOPERM/.test(why) ? { seen: 'ailing', why } : { seen: 'down', why };
  }
}

async function probeTcp({ site, limitMs }: Watching, component: Watched, own: boolean): Promise<Found> {
  const addresses = addressesOf(site).filter(
    (each) => each.component === component && (own || sameHost(each.host) !== 'this host'),
  );
  if (addresses.length === 0) return { seen: 'unseen' };
  const problems = await Promise.all(
    addresses.map(({ host, port }) =>
      within(tcpProblem(host, port), limitMs, 'connection').catch((error: unknown) => textOf(error)),
    ),
  );
  if (problems.includes(undefined)) return { seen: 'up' };
  const { host, port } = addresses[0]!;
  return { seen: 'down', why: cut(`${host}:${port}: ${problems[0]}`) };
}

/** Most Pumps listen nowhere: then only their own host can tell. */
async function probePump(watching: Watching, own: boolean): Promise<Found> {
  const { site, siteName } = watching;
  if (site.pump?.url !== undefined) return probeTcp(watching, 'pump', own);
  if (!own) return { seen: 'unseen' };
  const [service] = servicesOf(siteName, site, { component: 'pump' });
  return (await serviceState(service!)) === 'running' ? { seen: 'up' } : { seen: 'down', why: 'stopped' };
}

async function stateText(service: SiteService, limitMs: number): Promise<string> {
  const state = await within(serviceState(service), limitMs, 'state').catch((error: unknown) =>
    textOf(error),
  );
  return state === 'running' ? 'its service runs' : `its service: ${cut(state)}`;
}

const limits = (ms: number) => ({ timeoutMs: ms, wholeMs: ms });
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
/** It is shown in one line, and kept in a history. */
const cut = (text: string): string => hideByForm(text).replaceAll('\n', ' ').slice(0, 160);
