import { setTimeout as sleep } from 'node:timers/promises';
import { serviceState, type ServiceTarget } from '../adapters/service/service.ts';
import { DrError } from '../domain/errors.ts';

/** A service that ends while it starts will never answer: no use waiting out the whole time. */

const LOOK_EVERY_MS = 500;

/** Runs the wait; rejects as soon as the service has stopped. */
export async function whileRunning<T>(
  service: ServiceTarget,
  signal: AbortSignal,
  wait: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  try {
    return await Promise.race([wait(either), untilStopped(service, either)]);
  } finally {
    over.abort();
  }
}

async function untilStopped(service: ServiceTarget, signal: AbortSignal): Promise<never> {
  for (;;) {
    await sleep(LOOK_EVERY_MS, undefined, { signal });
    if ((await serviceState(service)) === 'stopped') {
      throw new DrError('SERVICE_FAILED', {
        service: service.name,
        site: service.site,
        action: 'keep running',
        reason: 'it ended right after its start; its own log says why',
      });
    }
  }
}
