import { setTimeout as sleep } from 'node:timers/promises';
import { mailNotice } from '../adapters/notify/email.ts';
import { postNotice, webhookName } from '../adapters/notify/webhook.ts';
import { DrError } from '../domain/errors.ts';
import type { Notice, NoticeResult } from '../domain/notice.ts';
import type { Deps } from './guard.ts';
import { asActivity } from './to-failure.ts';

/** Tells people, on every channel that the deployment declares. One that fails keeps no other from being told. */

/** Together with the pauses less than `NOTIFY_TIMEOUT_MS` of the workflow. */
const TRY_TIMEOUT_MS = 10_000;
/** Between three tries. */
const PAUSES_MS = [500, 2_000];

export function createNotifyActivities(deps: Deps) {
  return { 'send-notice': (notice: Notice) => asActivity(() => sendNotice(deps, notice)) };
}

interface Channel {
  readonly name: string;
  send(): Promise<void>;
}

async function sendNotice(deps: Deps, notice: Notice): Promise<NoticeResult> {
  const sent: string[] = [];
  const failed: string[] = [];
  await Promise.all(
    channelsOf(deps, notice).map(async ({ name, send }) => {
      try {
        await severalTimes(send);
        sent.push(name);
      } catch (error) {
        failed.push(error instanceof Error ? error.message : String(error));
      }
    }),
  );
  return { sent, failed };
}

function channelsOf(deps: Deps, notice: Notice): Channel[] {
  const { notify } = deps.deployment(notice.deployment);
  if (!notify) return [];
  const { webhooks, email } = notify;
  const channels: Channel[] = webhooks.map(({ url, secret }) => ({
    name: webhookName(url),
    async send() {
      await postNotice(
        { url, secret: secret && (await deps.secret(secret)), timeoutMs: TRY_TIMEOUT_MS },
        notice,
      );
    },
  }));
  if (email)
    channels.push({
      name: 'e-mail',
      async send() {
        const password = email.password && (await deps.secret(email.password));
        await mailNotice(email, password, TRY_TIMEOUT_MS, notice);
      },
    });
  return channels;
}

async function severalTimes(send: () => Promise<void>): Promise<void> {
  for (const pauseMs of [...PAUSES_MS, undefined]) {
    try {
      return await send();
    } catch (error) {
      if (pauseMs === undefined || !(error instanceof DrError) || !error.retryable) throw error;
    }
    await sleep(pauseMs);
  }
}
