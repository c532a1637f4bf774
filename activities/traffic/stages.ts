import { setTimeout as sleep } from 'node:timers/promises';
import type { TrafficConfig } from '../../domain/config.ts';
import { formatDuration } from '../../domain/duration.ts';
import { DrError } from '../../domain/errors.ts';
import type { Proof } from '../../domain/run.ts';
import type { Call } from '../guard.ts';
import { notMeasured, proof } from '../proofs.ts';
import { clientProofs } from './client-proofs.ts';
import type { Found, Moved, Served, Standing, TrafficDriver } from './driver.ts';
import { forgetFound } from './kept.ts';

/** The clients go over at once, or by shares with checks between; where a check fails, back to where they were. */

/** Integer weights give a share only about. */
const ROUNDING = 1;

export interface Switched {
  readonly moves: readonly Moved[];
  readonly proofs: readonly Proof[];
}

export async function switchBySteps(
  call: Call,
  traffic: TrafficConfig,
  driver: TrafficDriver,
  standing: Standing,
  kept: Found,
): Promise<Switched> {
  const { to } = call.input.plan;
  const gone = whyAtOnce(call, standing);
  if (gone !== undefined) {
    const moved = await driver.point(to, 100, { othersAreGone: true });
    const notes = traffic.steps.length > 1 ? [...moved.notes, `at once: ${gone}`] : moved.notes;
    return { moves: [{ ...moved, notes }], proofs: [] };
  }
  const moves: Moved[] = [];
  const proofs: Proof[] = [];
  for (const percent of left(traffic.steps, standing.shares[to] ?? 0)) {
    call.progress(`${percent} %`);
    try {
      moves.push(await driver.point(to, percent));
      if (percent < 100) proofs.push(...(await heldAndProven(call, traffic, driver, percent)));
    } catch (error) {
      // A run that is given up, or goes on on another worker, leaves the traffic as it is.
      if (call.signal.aborted) throw error;
      throw await putBack(call, driver, kept, percent, error);
    }
  }
  return { moves, proofs };
}

/** Why no other site would serve the rest; undefined where one does, as far as can be seen. */
function whyAtOnce({ input: { plan } }: Call, { shares, able }: Standing): string | undefined {
  if (plan.inPlace) return `${plan.to} is rebuilt in place, no other site serves`;
  const fenced = plan.steps.indexOf('fence-source');
  if (fenced !== -1 && fenced < plan.steps.indexOf('switch-traffic')) return `${plan.from} is fenced`;
  const others = Object.keys(shares).filter((site) => site !== plan.to);
  if (others.length === 0) return 'no other site has traffic';
  return able && !others.some((site) => able.includes(site))
    ? `nothing of ${others.join(', ')} is up`
    : undefined;
}

/** None that would take from the target what it has; the one that it has: a call that was killed while it held it checks that again. */
function left(steps: readonly number[], share: number): readonly number[] {
  return steps.filter((percent) => percent >= share - ROUNDING);
}

/** Holds the share, and looks how the target does with it. @throws Error that names the check that failed */
async function heldAndProven(
  call: Call,
  traffic: TrafficConfig,
  driver: TrafficDriver,
  percent: number,
): Promise<Proof[]> {
  const { to } = call.input.plan;
  const before = await driver.served?.(to);
  call.progress(`${percent} %, held for ${formatDuration(traffic.hold)}`);
  await sleep(traffic.hold, undefined, { signal: call.signal });
  const [standing, after, fromOutside] = await Promise.all([
    driver.look(),
    driver.served?.(to),
    clientProofs(call, traffic, driver),
  ]);
  const share = standing.shares[to] ?? 0;
  const proofs = [
    proof(
      'the share of the target',
      Math.abs(share - percent) <= ROUNDING,
      `${percent} %`,
      `${round(share)} %`,
    ),
    ...(standing.able
      ? [
          proof(
            'the target is up',
            standing.able.includes(to),
            'up',
            standing.able.includes(to) ? 'up' : 'down',
          ),
        ]
      : []),
    ...(before && after && traffic.kind === 'haproxy'
      ? [
          fewErrors(
            { answers: after.answers - before.answers, errors: after.errors - before.errors },
            traffic.maxErrorPercent,
          ),
        ]
      : []),
    ...(fromOutside.length > 0 ? fromOutside : [notMeasured('outside address', 'no probes')]),
  ].map((each) => ({ ...each, name: `at ${percent} %: ${each.name}` }));
  const failed = proofs.find(({ verdict }) => verdict === 'fail');
  if (failed) throw new Error(`${failed.name}: expected ${failed.expected}, found ${failed.actual}`);
  return proofs;
}

/** One failure is no share: it takes two. */
function fewErrors({ answers, errors }: Served, most: number): Proof {
  const name = 'failures among the target’s answers to clients';
  if (answers <= 0) return notMeasured(name, 'no client was sent to it');
  const share = (100 * errors) / answers;
  return proof(name, errors < 2 || share <= most, `at most ${most} %`, `${round(share)} % of ${answers}`);
}

/** @returns the error to throw: which share, which check, and what became of the clients */
async function putBack(
  call: Call,
  driver: TrafficDriver,
  kept: Found,
  percent: number,
  cause: unknown,
): Promise<DrError> {
  const why = reasonOf(cause, percent);
  try {
    const { what } = await driver.putBack(kept);
    await forgetFound(call.target.stateDir);
    return new DrError(
      'TRAFFIC_FAILED',
      { backend: driver.name, reason: `${why}; put back: ${what}` },
      { cause },
    );
  } catch (error) {
    const reason = `${why}; and it could NOT be put back: ${error instanceof Error ? error.message : String(error)}`;
    return new DrError('TRAFFIC_FAILED', { backend: driver.name, reason }, { cause });
  }
}

function reasonOf(cause: unknown, percent: number): string {
  if (cause instanceof DrError && cause.code === 'TRAFFIC_FAILED')
    return `failed at ${percent} %: it ${cause.details['reason']}`;
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.startsWith(`at ${percent} %`) ? `failed ${message}` : `failed at ${percent} %: ${message}`;
}

const round = (percent: number): number => Math.round(percent * 10) / 10;
