import { hello, setConfig, setStatus } from '../../adapters/mongodb/replica-set.ts';
import { doubtful, fine, wrong, type Finding } from '../../domain/doctor.ts';
import { DrError } from '../../domain/errors.ts';
import { bearsLossOf, memberAt, NOT_PROVEN, primaryIn, statusOf } from '../../domain/replica-set.ts';
import { mongoOf } from '../database/mongodb.ts';
import { serves } from '../site.ts';
import { atMember, memberName, stateText } from '../standby/mongodb.ts';
import type { Host } from './host.ts';

/** Whether the member of a site is one of the set that the configuration names, and what its loss would cost the others. */
export async function checkReplicaSet(host: Host): Promise<Finding[]> {
  const { site, worker, where } = host;
  if (!serves(worker, site, site.database)) return [];
  try {
    return await atMember(host, site, async (member) => {
      const name = memberName(site);
      const { replicaSet } = mongoOf(site);
      const { setName } = await hello(member);
      if (setName !== replicaSet)
        return [unlike(where, `MongoDB is of ${setName ?? 'no replica set'}`, replicaSet)];
      const [config, status] = [await setConfig(member), await setStatus(member)];
      const self = memberAt(config, name);
      if (!self) {
        const names = config.members.map((each) => each.host).join(', ');
        return [unlike(where, `the replica set calls its members ${names}`, name)];
      }
      const state = statusOf(status, name);
      const primary = primaryIn(status)?.host;
      if (primary === undefined)
        return [
          wrong(
            'replication',
            where,
            `the replica set ${replicaSet} has no primary${state ? `; of ${name} ${stateText(state)}` : ''}`,
            'Bring up members until a majority of those that vote is reachable.',
          ),
        ];
      return [
        fine(
          'replication',
          where,
          `MongoDB is ${state?.state ?? 'a member'} of ${replicaSet}, ${self.votes} votes, priority ${self.priority}; failing over to it or from it is ${NOT_PROVEN}, see docs/mongodb.md`,
        ),
        ...costOf(host, primary === name ? undefined : bearsLossOf(config, name)),
      ];
    });
  } catch (error) {
    // That it does not answer is told with the standing of the standby, or with the stores.
    if (error instanceof DrError && error.code === 'STORE_UNREACHABLE') return [];
    if (error instanceof DrError) return [wrong('replication', where, error.message, error.hint)];
    throw error;
  }
}

const unlike = (where: string, found: string, expected: string | undefined): Finding =>
  wrong(
    'replication',
    where,
    `${found}; expected ${expected}`,
    'Correct replicaSet, host and port of the database in tyk-dr.yaml: they are as the replica set has them.',
  );

function costOf({ where, site }: Host, bears: boolean | undefined): Finding[] {
  if (bears !== false) return [];
  return [
    doubtful(
      'replication',
      where,
      `without ${memberName(site)} no majority of the voting members is left: its loss would stop the site that serves`,
      'Give it no vote and priority 0, or a third place a member that votes.',
    ),
  ];
}
