import type { Notice } from '../../domain/notice.ts';
import { Secret } from '../../domain/secret.ts';
import { post } from './webhook.ts';

/**
 * PagerDuty's Events API v2. A notice that opens an incident triggers it under its key, so that one which is sent
 * twice, or told again, makes no second incident; one that closes incidents resolves them by the same keys.
 */

export interface PagerDuty {
  readonly url: string;
  readonly routingKey: Secret;
  readonly timeoutMs: number;
}

/** PagerDuty cuts what is longer. */
const SUMMARY_LIMIT = 1024;

/** @throws DrError NOTICE_UNSENT */
export async function sendToPagerDuty(config: PagerDuty, notice: Notice, closesOnly: boolean): Promise<void> {
  const { title, severity, deployment, event, about, at, lines, opens, closes = [] } = notice;
  const send = (fields: object): Promise<void> =>
    post(
      new Secret(config.url),
      JSON.stringify({ routing_key: config.routingKey.reveal(), ...fields }),
      config.timeoutMs,
    );
  for (const key of closes) await send({ event_action: 'resolve', dedup_key: key });
  // What opens nothing is for those who read, not for those who are woken up.
  if (closesOnly || opens === undefined) return;
  await send({
    event_action: 'trigger',
    dedup_key: opens,
    client: 'tyk-dr',
    payload: {
      summary: title.slice(0, SUMMARY_LIMIT),
      source: deployment,
      severity,
      timestamp: at,
      component: about,
      group: deployment,
      class: event,
      custom_details: { lines },
    },
  });
}
