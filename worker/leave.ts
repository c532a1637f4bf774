import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { ApplicationFailure } from '@temporalio/common';

/**
 * How a worker goes: what runs may end by itself for a while, and is then broken off and handed over. The next worker
 * of the queue looks how far it came, and goes on from there.
 */

/** Running activities get this long to end by themselves after the first signal; then they are cancelled. */
export const GRACE_MS = 10_000;
/** What does not end even then is left behind: its tools die with this process. */
export const FORCE_MS = 30_000;

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

export class Leave {
  readonly #hurry = new AbortController();
  readonly #running = new Set<string>();
  readonly #handedOver: string[] = [];
  readonly #say: (text: string) => void;

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  /** Aborted by the second signal: what runs is to end now. */
  get hurry(): AbortSignal {
    return this.#hurry.signal;
  }

  /** Keeps account of what runs. */
  readonly interceptor: ActivityInterceptorsFactory = ({ info }) => ({
    inbound: {
      execute: async (input, next) => {
        const run = (input.args[0] as { run?: unknown } | undefined)?.run;
        const text = `${info.activityType}${typeof run === 'string' ? ` of ${run}` : ''}`;
        this.#running.add(text);
        try {
          return await next(input);
        } catch (error) {
          if (error instanceof ApplicationFailure && error.type === 'WORKER_STOPPED')
            this.#handedOver.push(text);
          throw error;
        } finally {
          this.#running.delete(text);
        }
      },
    },
  });

  /** Listens until the process ends; `stop` begins the orderly end. A third signal ends it at once. */
  onSignal(stop: () => void): void {
    let signals = 0;
    for (const signal of SIGNALS)
      process.on(signal, () => {
        signals += 1;
        const running = [...this.#running].join(', ');
        if (signals === 1) {
          const waits = running
            ? `waits up to ${GRACE_MS / 1000} s for ${running}, then hands over; once more to hand over now`
            : 'nothing is under way';
          this.#say(`${signal}: takes no more work; ${waits}`);
          stop();
        } else if (signals === 2) {
          this.#say(`${signal} again: hands over now${running ? `: ${running}` : ''}`);
          this.#hurry.abort();
        } else {
          this.#say(`${signal} a third time: ends now${running ? `, in the middle of ${running}` : ''}`);
          process.exit(0);
        }
      });
  }

  /** What the log says at the end. */
  end(): void {
    const left = [...this.#running];
    if (this.#handedOver.length > 0)
      this.#say(
        `handed over: ${this.#handedOver.join(', ')}; the next worker looks how far it came and goes on`,
      );
    if (left.length > 0)
      this.#say(
        `did not end in ${FORCE_MS / 1000} s and was left: ${left.join(', ')}; its tools end with this process`,
      );
    this.#say('has stopped');
  }
}
