import type { Document } from 'mongodb';

/** When a server takes a new configuration: the rules of MongoDB's manual and of its validation. Pure. */

export class Refusal extends Error {
  readonly code: number;
  readonly codeName: string;

  constructor(code: number, codeName: string, message: string) {
    super(message);
    this.code = code;
    this.codeName = codeName;
  }
}

export interface ConfigMember {
  readonly _id: number;
  readonly host: string;
  readonly votes: number;
  readonly priority: number;
  readonly arbiterOnly?: boolean;
}

export type ReplConfig = Document & {
  readonly version: number;
  readonly term: number;
  readonly members: readonly ConfigMember[];
};

export const votersOf = ({ members }: ReplConfig): readonly ConfigMember[] =>
  members.filter(({ votes }) => votes > 0);
export const majorityOf = (config: ReplConfig): number => Math.floor(votersOf(config).length / 2) + 1;

const invalid = (message: string): Refusal => new Refusal(93, 'InvalidReplicaSetConfig', message);
const incompatible = (message: string): Refusal =>
  new Refusal(103, 'NewReplicaSetConfigurationIncompatible', message);

/** @throws Refusal */
export function requireValid(config: ReplConfig): void {
  for (const { host, votes, priority } of config.members)
    if (votes === 0 && priority > 0) throw invalid(`${host}: priority must be 0 when non-voting (votes:0)`);
  if (votersOf(config).length === 0) throw invalid('Replica set configuration must contain a voting member');
  if (!config.members.some(({ priority }) => priority > 0))
    throw invalid('Replica set configuration must contain at least one non-arbiter member with priority > 0');
}

/** @throws Refusal */
export function requireSuccessor(old: ReplConfig, next: ReplConfig, force: boolean): void {
  if (!force && next.version <= old.version)
    throw incompatible(
      `New replica set configuration version and term must be greater than old, but ${next.version} is not greater than ${old.version}`,
    );
  if (String(old['_id']) !== String(next['_id']))
    throw incompatible('New and old configurations differ in replica set name');
  if (replicaSetId(old) !== replicaSetId(next))
    throw incompatible('New and old configurations differ in replica set ID');
  for (const member of next.members) {
    const before = old.members.find(({ host }) => host === member.host);
    if (before && before._id !== member._id)
      throw incompatible(
        `New and old configurations both have members with host of ${member.host}, but the _id differs`,
      );
  }
  if (!force) requireOneVote(old, next);
  requireNoElectableArbiterSet(old, next);
}

export const replicaSetId = ({ settings }: ReplConfig): string =>
  String((settings as Document | undefined)?.['replicaSetId']);

function requireOneVote(old: ReplConfig, next: ReplConfig): void {
  const [before, after] = [old, next].map((config) => votersOf(config).map(({ _id }) => _id)) as [
    number[],
    number[],
  ];
  const differ =
    before.filter((id) => !after.includes(id)).length + after.filter((id) => !before.includes(id)).length;
  if (differ > 1)
    throw invalid('Non force replica set reconfig can only add or remove at most 1 voting member.');
}

/** A primary, a secondary and an arbiter: the secondary may be electable only once it has voted. */
function requireNoElectableArbiterSet(old: ReplConfig, next: ReplConfig): void {
  const writable = votersOf(old).filter(({ arbiterOnly }) => arbiterOnly !== true).length;
  const arbiters = next.members.filter(({ arbiterOnly }) => arbiterOnly === true).length;
  const electable = next.members.filter(({ priority }) => priority > 0).length;
  if (writable < majorityOf(old) && next.members.length === 3 && arbiters === 1 && electable > 1)
    throw incompatible(
      'Rejecting reconfig where the new config has a PSA topology and the secondary is electable',
    );
}
