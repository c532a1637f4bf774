import { sameAddress } from '../../adapters/host/same-address.ts';
import { withClient } from '../../adapters/redis/client.ts';
import { whyNotChosen } from '../../adapters/redis/sentinel-switch.ts';
import { addressText, withSentinels, type SentinelView } from '../../adapters/redis/sentinels.ts';
import type { RedisConfig } from '../../domain/config.ts';
import { doubtful, fine, wrong, type Finding } from '../../domain/doctor.ts';
import { DrError } from '../../domain/errors.ts';
import { isWatched } from '../../domain/redis-kind.ts';
import { sentinelPlaces } from '../../domain/sentinel-places.ts';
import { redisEndpoint, sentinelsOf } from '../endpoints.ts';
import { serves } from '../site.ts';
import { heldSentinels } from '../watched-redis.ts';
import type { Host } from './host.ts';

/** Whether the Sentinels above the Redis of a site could make the other one the master today, and would. */
export async function checkSentinels(host: Host): Promise<Finding[]> {
  const { site, worker, siteName, deployment, where } = host;
  const { redis } = site;
  if (!redis || !isWatched(redis) || !serves(worker, site, redis)) return [];
  const found = [
    ...(await asSentinelsSee(host, redis)),
    ...(await settingsOf(host, redis)),
    // Once for all sites.
    ...(Object.keys(deployment.sites)[0] === siteName ? placesOf(host) : []),
    ...(await leftHeld(host)),
  ];
  return found.length > 0
    ? found
    : [fine('sentinels', where, `the Sentinels of ${redis.sentinel!.name} know its Redis, and can agree`)];
}

async function asSentinelsSee(host: Host, redis: RedisConfig): Promise<Finding[]> {
  const { where, secret, live, siteName } = host;
  const group = (await sentinelsOf(redis, secret))!;
  try {
    return await withSentinels(group, async (sentinels) => {
      const view = await sentinels.look();
      const missing = await sentinels.quorumProblem();
      const isMaster = await sameAddress(view.master, redis);
      const why = isMaster ? undefined : await whyNotChosen(sentinels, redis);
      return [
        ...silentOf(view, where),
        ...(missing === undefined
          ? []
          : [wrong('sentinels', where, `they could not agree on another master: ${missing}`)]),
        ...(live && !isMaster
          ? [
              doubtful(
                'sentinels',
                where,
                `they have made ${addressText(view.master)} the master, while ${siteName} serves the rest`,
                'Clients write across the sites. Let that site take over with tyk-dr failover, or give the master back: redis-cli -p 26379 SENTINEL FAILOVER NAME.',
              ),
            ]
          : []),
        ...(why
          ? [wrong('sentinels', where, `they would not make its Redis the master: ${why.reason}`)]
          : []),
      ];
    });
  } catch (error) {
    if (error instanceof DrError) return [wrong('sentinels', where, error.message, error.hint)];
    throw error;
  }
}

const silentOf = ({ silent }: SentinelView, where: string): Finding[] =>
  silent.map((each) => doubtful('sentinels', where, `a Sentinel is not reached from here: ${each}`));

/** A moment of a graceful failover that was never ended. */
const HELD_REPLICAS = 1_000_000;

async function settingsOf({ where, secret }: Host, redis: RedisConfig): Promise<Finding[]> {
  const endpoint = await redisEndpoint(redis, secret);
  const [least, login] = await withClient(endpoint, async (client) => [
    Number((await client.config('GET', 'min-replicas-to-write'))[1] ?? 0),
    (await client.config('GET', 'masterauth'))[1] ?? '',
  ]).catch((error: unknown) => {
    // That it does not answer, or does not tell, is said elsewhere.
    if (error instanceof DrError) return [0, undefined];
    throw error;
  });
  return [
    ...(least === HELD_REPLICAS
      ? [
          wrong(
            'sentinels',
            where,
            'min-replicas-to-write is 1000000: a failover that was not ended has left it, and every write is refused',
            'CONFIG SET min-replicas-to-write 0, and CONFIG REWRITE.',
          ),
        ]
      : []),
    ...(least !== undefined && Number(least) > 0 && least !== HELD_REPLICAS
      ? [
          doubtful(
            'sentinels',
            where,
            `min-replicas-to-write is ${least}: the master refuses writes while so many do not follow it, as after every failover`,
            'Set it to 0, or have more replicas than sites that may be lost.',
          ),
        ]
      : []),
    ...(endpoint.password && login === ''
      ? [
          wrong(
            'sentinels',
            where,
            'masterauth is not set: once the Sentinels make it a replica it cannot log in to its master',
            'CONFIG SET masterauth and CONFIG REWRITE; or tyk-dr replicate DEPLOYMENT --to SITE.',
          ),
        ]
      : []),
  ];
}

/** Nobody can say on which host each stands but the configuration; where it does not, nothing is said. */
function placesOf({ deployment }: Host): Finding[] {
  return sentinelPlaces(deployment).flatMap(({ site, here, all }) =>
    all - here > all / 2
      ? []
      : [
          doubtful(
            'sentinels',
            site,
            `${here} of ${all} Sentinels stand on its hosts: were it lost, those that are left could not agree on another master`,
            'Put them on three places, so that no site has half of them. A failover then needs nobody; as it is, one of those that are left must be told by hand.',
          ),
        ],
  );
}

async function leftHeld({ site, where }: Host): Promise<Finding[]> {
  const held = await heldSentinels(site.stateDir);
  return held
    ? [
        doubtful(
          'sentinels',
          where,
          `Sentinels were told to hold still by a recovery, and not told to act again: ${Object.keys(held).join(', ')}`,
          'Where no recovery is under way: SENTINEL SET NAME down-after-milliseconds, as it was before, on each.',
        ),
      ]
    : [];
}
