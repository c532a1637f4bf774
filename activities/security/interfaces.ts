import { randomBytes } from 'node:crypto';
import { call as http, type Answer } from '../../adapters/tyk/http.ts';
import type { Proof } from '../../domain/run.ts';
import type { Call } from '../guard.ts';
import { isRefusal } from '../probes.ts';
import { shown, unknown } from './check.ts';

/**
 * The doors of those who run Tyk: the Gateways' control API, the Dashboard's API and admin API. Each must demand its
 * secret, and none may be reached where clients come in. No secret is sent for that, only an invented one: whoever is
 * refused by Tyk itself in the same words as at its own address has reached it.
 */

const DEMAND = 'admin interfaces demand their secrets';
const CLOSED = 'admin interfaces are closed to clients';

interface Door {
  readonly name: string;
  readonly base: string;
  readonly header: string;
  /** The first is asked at its own address; all of them where clients come in. */
  readonly paths: readonly [string, ...string[]];
}

export async function interfaceChecks(call: Call): Promise<Proof[]> {
  const doors = doorsOf(call);
  const direct = await Promise.all(doors.map((door) => ask(door.base, door.paths[0], door)));
  const demands = doors.map((door, index) => demandsSecret(door, direct[index]!));
  // In a drill nobody sends clients to the site: the plan does not hold that against it.
  if (call.input.plan.drill) return demands;
  const { traffic } = call.deployment;
  if (!traffic)
    return [...demands, unknown(CLOSED, '', 'no traffic is configured: where clients come in is not known')];
  const closed = await Promise.all(doors.map((door, index) => isClosed(traffic.url, door, direct[index]!)));
  return [...demands, ...closed];
}

function doorsOf({ target }: Call): Door[] {
  const { dashboard, gateways } = target;
  return [
    ...gateways.map(({ name, url }): Door => ({
      ...{ name: `control API of ${name}`, base: url, header: 'X-Tyk-Authorization' },
      paths: ['/tyk/apis', '/tyk/keys', '/tyk/policies', '/tyk/reload', '/tyk/certs', '/tyk/org/keys'],
    })),
    ...(dashboard
      ? [
          {
            ...{ name: 'API of the Dashboard', base: dashboard.url, header: 'Authorization' },
            paths: ['/api/apis?p=1', '/api/users', '/api/keys'] as const,
          },
          {
            ...{ name: 'admin API of the Dashboard', base: dashboard.url, header: 'admin-auth' },
            paths: ['/admin/organisations', '/admin/users'] as const,
          },
        ]
      : []),
  ];
}

function ask(base: string, path: string, { header }: Door): Promise<Answer> {
  return http(new URL(path, base).href, { headers: { [header]: randomBytes(16).toString('hex') } });
}

function demandsSecret({ name }: Door, { status, error }: Answer): Proof {
  if (status === 0) return unknown(DEMAND, name, error ?? 'no answer');
  // It may listen on another port of its own: then it is not here.
  const ok = isRefusal(status) || status === 404;
  return shown(DEMAND, name, ok, 'an invented secret is refused', status);
}

async function isClosed(url: string, door: Door, direct: Answer): Promise<Proof> {
  const answers = await Promise.all(door.paths.map((path) => ask(url, path, door)));
  if (answers.some(({ status }) => status === 0))
    return unknown(CLOSED, door.name, answers.find(({ error }) => error)?.error ?? 'no answer');
  const open = door.paths.filter((_, index) => isSameDoor(direct, answers[index]!));
  return shown(
    CLOSED,
    door.name,
    open.length === 0,
    `not to be reached at ${url}`,
    open.length === 0 ? 'not reached' : `Tyk itself answers at ${open.join(', ')}`,
  );
}

/** What stands in front refuses in words of its own; a path without an API is no door. */
function isSameDoor(direct: Answer, outside: Answer): boolean {
  if (direct.status === 0 || direct.status === 404) return false;
  return outside.status === direct.status && outside.body.trim() === direct.body.trim();
}
