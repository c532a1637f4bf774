import { missing, type Asking, type FleetLimits, type FleetMember, type FleetRecord } from './fleet.ts';

/** Whose turn it is. Pure, and the one place that says so: the workflow, its forecast and the bench all ask here. */

/** Those that may begin now, the most urgent first. */
export function nextTurns(
  record: Pick<FleetRecord, 'members' | 'limits' | 'coming' | 'allHere'>,
): FleetMember[] {
  const { members, limits } = record;
  const running = members.filter(({ state }) => state === 'running');
  // Asked again with every change of a fleet of hundreds: most of the time all places are taken.
  if (running.length >= limits.all) return [];
  // Whoever is less urgent than one that is still on its way lets it go first.
  const awaited = record.allHere ? Infinity : Math.min(Infinity, ...missing(record).keys());
  const queued = members.filter(({ state, priority }) => state === 'queued' && priority <= awaited);
  return turnsInOrder(byUrgency(queued), running, limits);
}

/**
 * A less urgent one begins before a more urgent one that waits only where that one could not begin anyway, for a limit
 * of its own site, repository or worker.
 *
 * @param queue the most urgent first
 */
export function turnsInOrder<T extends Limited>(
  queue: readonly T[],
  running: readonly Limited[],
  limits: FleetLimits,
): T[] {
  const places = new Places(limits);
  for (const member of running) places.take(member);
  const turns: T[] = [];
  for (const member of queue) {
    if (places.areAllTaken) break;
    if (!places.hasFor(member)) continue;
    places.take(member);
    turns.push(member);
  }
  return turns;
}

/** By tier; within it by when the objective is used up, then by who asked first. */
export function byUrgency<T extends Pick<Asking, 'priority' | 'basisAt' | 'rtoMs'>>(
  members: readonly T[],
): T[] {
  return members
    .map((member) => ({ member, dueMs: deadlineMs(member) }))
    .sort((a, b) => a.member.priority - b.member.priority || a.dueMs - b.dueMs)
    .map(({ member }) => member);
}

/** When the objective is used up, Unix milliseconds. */
export function deadlineMs({ basisAt, rtoMs }: Pick<Asking, 'basisAt' | 'rtoMs'>): number {
  return Date.parse(basisAt) + rtoMs;
}

/** What limits are counted by. */
export type Limited = Pick<Asking, 'to' | 'repository' | 'workers'>;

/** Which limits a deployment counts for, each with a name of its own. */
export function limitsOn(
  { to, repository, workers }: Limited,
  { perSite, perRepository, perWorker }: FleetLimits,
): (readonly [name: string, limit: number])[] {
  return [
    [`site ${to}`, perSite],
    [`repository ${repository}`, perRepository],
    ...workers.map((worker) => [`worker ${worker}`, perWorker] as const),
  ];
}

class Places {
  readonly #limits: FleetLimits;
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor(limits: FleetLimits) {
    this.#limits = limits;
  }

  get areAllTaken(): boolean {
    return this.#all >= this.#limits.all;
  }

  hasFor(member: Limited): boolean {
    return limitsOn(member, this.#limits).every(([name, limit]) => (this.#taken.get(name) ?? 0) < limit);
  }

  take(member: Limited): void {
    this.#all += 1;
    for (const [name] of limitsOn(member, this.#limits))
      this.#taken.set(name, (this.#taken.get(name) ?? 0) + 1);
  }
}
