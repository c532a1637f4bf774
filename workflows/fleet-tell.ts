import type { FleetRecord } from '../domain/fleet.ts';
import { begunNotice, endedNotice, lateCritical, lateNotice } from '../domain/fleet-notice.ts';
import type { Notice } from '../domain/notice.ts';
import { sendNotice } from './notify.ts';
import { now } from './run-state.ts';

/** Tells people of a fleet as a whole, each place once. A channel that hangs keeps no turn from being given. */

/** The end of the fleet waits for its last word. */
const PATIENCE_MS = 30_000;

export class FleetTeller {
  readonly #record: FleetRecord;
  #telling: Promise<unknown> = Promise.resolve();
  #lookedMs = 0;

  constructor(record: FleetRecord) {
    this.#record = record;
  }

  /** How often it looks who will be late; undefined where nobody is told anything. */
  get everyMs(): number | undefined {
    const { notifies, members } = this.#record;
    const { late = [] } = this.#record.told ?? {};
    const open = members.some(
      ({ tier, state, deployment }) => tier === 'critical' && state !== 'ended' && !late.includes(deployment),
    );
    return notifies && open ? LOOK_EVERY_MS : undefined;
  }

  /** What there is to be told now. Once all have asked: only then it is known who they are. */
  look(): void {
    const record = this.#record;
    if (!record.notifies || !record.allHere) return;
    if (!record.told) {
      record.told = { begunAt: now(), late: [] };
      this.#tell(begunNotice(record, now()));
    }
    // Each deployment that begins or ends comes by here.
    if (Date.now() - this.#lookedMs < LEAST_BETWEEN_MS) return;
    this.#lookedMs = Date.now();
    const late = lateCritical(record, Date.now());
    if (late.length === 0) return;
    record.told = {
      ...record.told,
      late: [...record.told.late, ...late.map(({ deployment }) => deployment)],
    };
    this.#tell(lateNotice(record, late, now()));
  }

  ended(): void {
    if (this.#record.notifies) this.#tell(endedNotice(this.#record, now()));
  }

  /** Whatever was to be told is told, or cannot be. */
  async done(): Promise<void> {
    await this.#telling;
  }

  #tell(notice: Notice): void {
    const { members } = this.#record;
    const workers = [...new Set(members.flatMap((member) => member.workers))];
    const all = members.map(({ deployment }) => deployment);
    // In the order in which it came about.
    this.#telling = this.#telling.then(() => sendNotice(workers, notice, { patienceMs: PATIENCE_MS, all }));
  }
}

const LOOK_EVERY_MS = 60_000;
const LEAST_BETWEEN_MS = 5_000;
