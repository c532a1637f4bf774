import type { Build } from '../domain/build.ts';
import type { Deps } from './guard.ts';
import { asActivity } from './to-failure.ts';

/** Whether a worker lives and from what it was configured. Asked outside the lock, before a run starts. */

export interface PingResult {
  readonly worker: string;
  readonly digest: string;
  /** Of the process that answers; a worker of before 0.2 says none. */
  readonly build?: Build;
  /** The worker's clock when it answered, UTC ISO. */
  readonly now: string;
}

export function createPingActivities(deps: Deps, build: Build) {
  return {
    'answer-ping': (deployment: string): Promise<PingResult> =>
      asActivity(() => ({
        worker: deps.worker,
        digest: deps.digest(deployment),
        build,
        now: new Date().toISOString(),
      })),
  };
}
