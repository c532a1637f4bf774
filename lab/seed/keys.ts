import type { Client } from '../../adapters/redis/client.ts';
import type { ApiListEntry } from '../tyk/api-definition.ts';
import { keyHash, makeToken } from '../tyk/key-hash.ts';
import { accessTo, type Policy } from '../tyk/policy.ts';
import { buildSession, type Session } from '../tyk/session.ts';
import { ORGANISATIONS, type Scale } from './definitions.ts';
import { randomNumbers, stableId } from './random.ts';

/** What lives in Redis only: keys, OAuth clients and tokens, certificates, the Dashboard's own access keys. */

/** Keys that probes use, by what they prove. */
export interface ProbeKeys {
  readonly good: string;
  readonly wrong: string;
  readonly expired: string;
  /** Was good once; nothing of it is in Redis any more. */
  readonly revoked: string;
  readonly quota: string;
  readonly rate: string;
}

const BATCH = 2_000;
const ORG = ORGANISATIONS[0];
/** 2024-01-01: long past on every machine. */
const PAST = 1_704_067_200;

export async function seedKeys(
  client: Client,
  seed: number,
  scale: Scale,
  apis: readonly ApiListEntry[],
  policies: readonly Policy[],
): Promise<ProbeKeys> {
  const random = randomNumbers(seed);
  let pipeline = client.pipeline();
  for (let index = 0; index < scale.keys; index += 1) {
    const policy = policies[index % policies.length]!;
    const session = buildSession({
      orgId: policy.org_id,
      alias: `consumer ${index}`,
      apply_policies: [policy.id],
      quota_max: policy.quota_max,
      quota_remaining: policy.quota_max,
      rate: policy.rate,
      per: policy.per,
      tags: [`segment-${Math.floor(random() * 20)}`],
    });
    // Nobody sends these keys, unlike those of the probes: the digits of their murmur64 may come straight from the seed.
    const hash = stableId(seed, `key ${index}`, 32).slice(0, 16);
    // One in seven expires, between a day and a year from now; Tyk gives the session's key the same time to live.
    const ttl = index % 7 === 3 ? 86_400 + Math.floor(random() * 31_000_000) : undefined;
    set(pipeline, `apikey-${hash}`, session, ttl);
    if (index % 11 === 5) pipeline.set(`quota-${hash}`, String(Math.floor(random() * 500)), 'EX', 86_400);
    if (pipeline.length >= BATCH) {
      await pipeline.exec();
      pipeline = client.pipeline();
    }
  }
  await pipeline.exec();
  await seedOauthAndCertificates(client, seed);
  return seedProbeKeys(client, seed, apis);
}

async function seedProbeKeys(
  client: Client,
  seed: number,
  apis: readonly ApiListEntry[],
): Promise<ProbeKeys> {
  const access = accessTo([apis[1]!.api_definition.api_id]);
  const token = (name: string): string => makeToken(ORG, stableId(seed, `probe ${name}`, 32));
  const keys = {
    good: token('good'),
    wrong: token('wrong'),
    expired: token('expired'),
    revoked: token('revoked'),
    quota: token('quota'),
    rate: token('rate'),
  };
  const pipeline = client.pipeline();
  const put = (key: string, session: Partial<Session>): void =>
    set(pipeline, `apikey-${keyHash(key)}`, buildSession({ orgId: ORG, access_rights: access, ...session }));
  put(keys.good, {});
  put(keys.expired, { expires: PAST });
  put(keys.quota, { quota_max: 1_000_000, quota_remaining: 1_000_000, quota_renewal_rate: 86_400 });
  put(keys.rate, { rate: 5, per: 10 });
  await pipeline.exec();
  return keys;
}

/** As data that must survive, in Tyk's own layouts: they are not exercised here. */
async function seedOauthAndCertificates(client: Client, seed: number): Promise<void> {
  const pipeline = client.pipeline();
  for (let index = 0; index < 20; index += 1) {
    const id = stableId(seed, `oauth client ${index}`, 32);
    pipeline.set(
      `oauth-data.api${index}.oauth-clientid.${id}`,
      JSON.stringify({
        id,
        secret: stableId(seed, `oauth secret ${index}`, 32),
        redirecturi: 'https://app.example/cb',
      }),
    );
    pipeline.rpush(`oauth-client-index.${ORG}`, id);
    pipeline.sadd(`oauth-clientset.oauth-clientid.${id}`, `t${index}a`, `t${index}b`, `t${index}c`);
    for (let each = 0; each < 3; each += 1)
      pipeline.zadd(`oauth-client-tokens.${id}`, PAST + each, `token-${index}-${each}`);
    const certificate = stableId(seed, `certificate ${index}`, 32);
    pipeline.set(
      `cert-raw-${ORG}${certificate}${certificate}`,
      `-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate.repeat(20)).toString('base64')}\n-----END CERTIFICATE-----\n`,
    );
    pipeline.rpush(`cert-${ORG}-index`, `${ORG}${certificate}${certificate}`);
  }
  pipeline.hset('tyk-lab-hash', { colour: 'red', size: 'large', shape: 'round' });
  await pipeline.exec();
}

/** The Dashboard finds a user by this key before it looks into its database. */
export async function seedDashboardKey(
  client: Client,
  accessKey: string,
  user: { id: string; orgId: string; email: string },
): Promise<void> {
  await client.set(
    `tyk-admin-api-${accessKey}`,
    JSON.stringify({ UserID: user.id, OrgID: user.orgId, EmailAddress: user.email, IsActive: true }),
  );
}

function set(
  pipeline: ReturnType<Client['pipeline']>,
  key: string,
  session: Session,
  ttlSeconds?: number,
): void {
  const text = JSON.stringify(session);
  if (ttlSeconds === undefined) pipeline.set(key, text);
  else pipeline.set(key, text, 'EX', ttlSeconds);
}
