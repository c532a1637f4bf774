import { randomBytes } from 'node:crypto';
import type { ApiListing } from '../../adapters/tyk/dashboard.ts';
import { loadedName } from '../../adapters/tyk/gateway.ts';
import { call as http } from '../../adapters/tyk/http.ts';
import { deleteKey, makeKey } from '../../adapters/tyk/keys.ts';
import type { GatewayConfig, ProbeConfig } from '../../domain/config.ts';
import type { Proof } from '../../domain/run.ts';
import { Secret } from '../../domain/secret.ts';
import { awaitUntil } from '../await-until.ts';
import type { Call } from '../guard.ts';
import { answersAsExpected, isRefusal, sendProbe } from '../probes.ts';
import { activeApis } from '../published.ts';
import { shown, unknown } from './check.ts';

/** What must be turned away: keys that never were, that were revoked, and sessions that are over. On every Gateway. */

const WRONG = 'wrong keys are refused';
const REVOKED = 'revoked keys stay refused';
const EXPIRED = 'expired sessions are dead';

/** A Gateway remembers a session for ten seconds; what it answers afterwards counts. */
const REMEMBERED_MS = 12_000;
/** Long enough to be used once; whoever dies over it leaves no key behind. */
const REVOKED_LIVES_S = 600;
const EXPIRED_LIVES_S = 4;

export async function keyChecks(call: Call): Promise<Proof[]> {
  const door = await protectedDoor(call);
  const parts = await Promise.all([
    wrongKeys(call, door),
    probesStayRefused(call, REVOKED, 'revoked-key'),
    probesStayRefused(call, EXPIRED, 'expired-key'),
    revokedNow(call, door),
    expiredNow(call, door),
  ]);
  return parts.flat();
}

/** An API that asks for a key, and the Gateways that serve it. */
interface Door {
  readonly api: ApiListing;
  readonly path: string;
  readonly gateways: readonly GatewayConfig[];
}

/** @returns why there is none */
async function protectedDoor(call: Call): Promise<Door | string> {
  const { deployment, target } = call;
  const apis = (await activeApis(call)).filter(
    ({ auth, organisation }) => auth === 'key' && organisation === deployment.organisation,
  );
  const known = deployment.probes.filter(({ proves, method }) => proves === 'known-key' && method === 'GET');
  const probed = apis.flatMap((api) =>
    known.filter(({ path }) => path.startsWith(api.listenPath)).map(({ path }) => ({ api, path })),
  );
  const [first] = [...probed, ...apis.map((api) => ({ api, path: api.listenPath }))];
  if (!first) return 'no API asks for a key';
  const secret = await call.secret(deployment.secrets.gateway);
  // A segmented Gateway serves only some.
  const names = await Promise.all(target.gateways.map(({ url }) => loadedName(url, secret, first.api.apiId)));
  const gateways = target.gateways.filter((_, index) => names[index] !== undefined);
  return gateways.length > 0 ? { ...first, gateways } : 'no Gateway serves an API that asks for a key';
}

async function wrongKeys(call: Call, door: Door | string): Promise<Proof[]> {
  const configured = await probesStayRefused(call, WRONG, 'wrong-key', false);
  if (typeof door === 'string')
    return configured.length > 0
      ? configured
      : [unknown(WRONG, '', `${door}, and no probe proves wrong-key`)];
  const invented = new Secret(call.deployment.organisation + randomBytes(16).toString('hex'));
  const made = await Promise.all(
    door.gateways.map(async ({ name, url }) =>
      refusal(WRONG, `${name}: a key that never was`, await statusWith(url, door.path, invented)),
    ),
  );
  return [...configured, ...made];
}

/** Every probe of the kind on every Gateway of the target. */
async function probesStayRefused(
  call: Call,
  check: typeof WRONG | typeof REVOKED | typeof EXPIRED,
  kind: ProbeConfig['proves'],
  needed = check === REVOKED,
): Promise<Proof[]> {
  const probes = call.deployment.probes.filter(({ proves }) => proves === kind);
  if (probes.length === 0)
    return needed
      ? [
          unknown(
            check,
            'since before the disaster',
            `no probe proves ${kind}: add one, with a key that was revoked`,
          ),
        ]
      : [];
  return Promise.all(
    probes.flatMap((probe) =>
      call.target.gateways.map(async ({ name, url }) => {
        const answer = await settled(
          call,
          () => sendProbe(call, url, probe),
          (each) => answersAsExpected(probe, each),
        );
        const ok = answersAsExpected(probe, answer);
        const actual = answer.status === 0 ? (answer.error ?? 'no answer') : answer.status;
        return shown(check, `${name}: ${probe.name}`, ok, `${probe.expect.status}`, actual);
      }),
    ),
  );
}

/** A key that is made, used on every Gateway, revoked, and then refused by each: revoking works here. */
async function revokedNow(call: Call, door: Door | string): Promise<Proof[]> {
  const what = 'a key that is revoked now';
  return withKey(call, door, REVOKED, what, REVOKED_LIVES_S, async (key, { gateways, path }, drop) => {
    const why = await drop();
    if (why !== undefined) return [unknown(REVOKED, what, why)];
    return Promise.all(
      gateways.map(async ({ name, url }) =>
        refusal(REVOKED, `${name}: ${what}`, await settledStatus(call, url, path, key)),
      ),
    );
  });
}

async function expiredNow(call: Call, door: Door | string): Promise<Proof[]> {
  const what = 'a key that expires now';
  return withKey(call, door, EXPIRED, what, EXPIRED_LIVES_S, async (key, { gateways, path }) =>
    Promise.all(
      gateways.map(async ({ name, url }) =>
        refusal(EXPIRED, `${name}: ${what}`, await settledStatus(call, url, path, key)),
      ),
    ),
  );
}

type Work = (key: Secret, door: Door, drop: () => Promise<string | undefined>) => Promise<Proof[]>;

/** Makes a key, lets it in once at each Gateway, and deletes it whatever comes. */
async function withKey(
  call: Call,
  door: Door | string,
  check: typeof REVOKED | typeof EXPIRED,
  what: string,
  livesSeconds: number,
  work: Work,
): Promise<Proof[]> {
  if (typeof door === 'string') return [unknown(check, what, door)];
  const secret = await call.secret(call.deployment.secrets.gateway);
  const [{ url }] = door.gateways as [GatewayConfig];
  const made = await makeKey(url, secret, {
    organisation: call.deployment.organisation,
    api: { id: door.api.apiId, name: door.api.name },
    alias: `tyk-dr ${call.input.run}`,
    expires: Math.floor(Date.now() / 1000) + livesSeconds,
  });
  if (typeof made === 'string') return [unknown(check, what, made)];
  const drop = (): Promise<string | undefined> => deleteKey(url, secret, made.key);
  try {
    const statuses = await Promise.all(
      door.gateways.map((gateway) => statusWith(gateway.url, door.path, made.key)),
    );
    const turnedAway = statuses.find((status) => status === 0 || isRefusal(status));
    if (turnedAway !== undefined)
      return [unknown(check, what, `the new key was answered ${turnedAway || 'not at all'} before that`)];
    return [
      ...(await work(made.key, door, drop)),
      ...(check === REVOKED
        ? [
            shown(
              'keys are hashed',
              'a key made now',
              made.hashed,
              'kept as a hash',
              made.hashed ? 'a hash' : 'as it is',
            ),
          ]
        : []),
    ];
  } finally {
    await drop();
  }
}

function refusal(check: typeof WRONG | typeof REVOKED | typeof EXPIRED, what: string, status: number): Proof {
  return shown(check, what, isRefusal(status), '401 or 403', status === 0 ? 'no answer' : status);
}

async function statusWith(url: string, path: string, key: Secret): Promise<number> {
  return (await http(new URL(path, url).href, { headers: { Authorization: key.reveal() } })).status;
}

async function settledStatus(call: Call, url: string, path: string, key: Secret): Promise<number> {
  return settled(call, () => statusWith(url, path, key), isRefusal);
}

/** Asks until the answer is right or the Gateway cannot remember the session any more; what it says then counts. */
async function settled<Answer>(
  { signal }: Call,
  ask: () => Promise<Answer>,
  right: (answer: Answer) => boolean,
): Promise<Answer> {
  const deadline = Date.now() + REMEMBERED_MS;
  return awaitUntil(
    async () => {
      const answer = await ask();
      return right(answer) || Date.now() >= deadline ? answer : undefined;
    },
    { timeoutMs: 2 * REMEMBERED_MS, everyMs: 250, signal, late: () => new Error('no answer in time') },
  );
}
