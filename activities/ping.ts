import type { Deps } from './guard.ts';
import { asActivity } from './to-failure.ts';

/** Whether a worker lives and from what it was configured. Asked outside the lock, before a run starts. */

export interface PingResult {
  readonly worker: string;
  readonly digest: string;
  readonly version: string;
  /** The worker's clock when it answered, UTC ISO. */
  readonly now: string;
}

export function createPingActivities(deps: Deps, version: string) {
  return {
    'answer-ping': (deployment: string): Promise<PingResult> =>
      asActivity(() => ({
        worker: deps.worker,
        digest: deps.digest(deployment),
        version,
        now: new Date().toISOString(),
      })),
  };
}
