import { loadConfig } from '../adapters/config/load.ts';
import { DrError } from '../domain/errors.ts';
import { withDoor } from './client.ts';
import type { FailoverOptions } from './failover.ts';
import { fleetRequest, recoverAll } from './recover-all.ts';

/** `tyk-dr failover --all`: every deployment whose standby is at another site than the lost one, as one fleet. */

/** A region is lost: nothing there is asked to become level. */
export async function failoverAll(
  configPath: string | undefined,
  name: string | undefined,
  options: FailoverOptions,
): Promise<void> {
  const { to, from, graceful, forced, acceptLoss, reason, onFailure, actor, detach, json } = options;
  if (name !== undefined)
    throw new DrError('BAD_ARGUMENT', { argument: 'DEPLOYMENT', value: name, expected: 'none beside --all' });
  if (graceful || !forced)
    throw new DrError('BAD_ARGUMENT', {
      ...{ argument: '--all', value: graceful ? '--graceful' : 'without --forced' },
      expected: '--forced: a graceful failover is for one deployment at a time',
    });
  if (acceptLoss)
    throw new DrError('BAD_ARGUMENT', {
      ...{
        argument: '--accept-loss',
        value: '--all',
        expected: 'one DEPLOYMENT: a loss is accepted by name',
      },
    });
  if (from === undefined) return missing('--from', 'the lost site');
  const request = fleetRequest(
    await loadConfig(configPath),
    {
      ...{ all: true, site: from, reason, onFailure, backup: 'latest', snapshots: true },
      scenario: 'regional',
      ...(to === undefined ? {} : { to }),
      ...(actor === undefined ? {} : { actor }),
      ...(options.occurred === undefined ? {} : { occurred: options.occurred }),
      ...(options.detected === undefined ? {} : { detected: options.detected }),
    },
    'failover',
    true,
  );
  await withDoor(configPath, (door) =>
    recoverAll(door, request, { detach: detach ?? false, json: json ?? false }),
  );
}

export function missing(argument: string, expected: string): never {
  throw new DrError('BAD_ARGUMENT', { argument, value: 'missing', expected });
}
