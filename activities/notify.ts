import { sendToPagerDuty } from '../adapters/notify/pagerduty.ts';
import { postToSlack, postToTeams } from '../adapters/notify/chat.ts';
import { runWithNotice } from '../adapters/notify/command.ts';
import { mailNotice } from '../adapters/notify/email.ts';
import { postNotice } from '../adapters/notify/webhook.ts';
import { DrError } from '../domain/errors.ts';
import { routeForAll, routeNotice } from '../domain/route-notice.ts';
import { Secret, isSecretRef } from '../domain/secret.ts';
import type { Notice, NoticeRoute, NoticeTarget } from '../domain/notice.ts';
import type { Deps } from './guard.ts';
import { asActivity } from './to-failure.ts';

/** Tells people: whom, as this worker's own configuration has it, and then each channel by a call of its own. */

/** Less than the time that the workflow gives one try. */
const TRY_TIMEOUT_MS = 10_000;

export function createNotifyActivities(deps: Deps) {
  return {
    'route-notice': (notice: Notice, level: number): Promise<NoticeRoute> =>
      asActivity(() => routeNotice(deps.deployment(notice.deployment), notice, level)),
    /** @param names of the deployments that it concerns; those that this worker does not know are passed over */
    'route-to-all': (notice: Notice, names: readonly string[]): Promise<NoticeRoute> =>
      asActivity(() => routeForAll(new Map(names.flatMap((name) => declaredOf(deps, name))), notice)),
    'tell-channel': (notice: Notice, target: NoticeTarget): Promise<void> =>
      asActivity(() => tellChannel(deps, notice, target)),
  };
}

function declaredOf(deps: Deps, name: string): [string, ReturnType<Deps['deployment']>][] {
  try {
    return [[name, deps.deployment(name)]];
  } catch (error) {
    if (error instanceof DrError && error.code === 'UNKNOWN_DEPLOYMENT') return [];
    throw error;
  }
}

async function tellChannel(deps: Deps, notice: Notice, target: NoticeTarget): Promise<void> {
  const channel = deps.deployment(target.deployment ?? notice.deployment).notify?.channels[target.channel];
  // Its configuration was changed in between: another worker may still have it.
  if (!channel)
    throw new DrError('NOTICE_UNSENT', {
      channel: target.channel,
      reason: 'this worker has no such channel',
    });
  const timeoutMs = TRY_TIMEOUT_MS;
  switch (channel.kind) {
    case 'webhook': {
      const url = isSecretRef(channel.url) ? await deps.secret(channel.url) : new Secret(channel.url);
      const secret = channel.secret && (await deps.secret(channel.secret));
      return postNotice({ url, secret, timeoutMs }, notice);
    }
    case 'slack':
      return postToSlack(await deps.secret(channel.url), notice, timeoutMs);
    case 'teams':
      return postToTeams(await deps.secret(channel.url), notice, timeoutMs);
    case 'pagerduty': {
      const routingKey = await deps.secret(channel.routingKey);
      return sendToPagerDuty({ url: channel.url, routingKey, timeoutMs }, notice, target.closesOnly ?? false);
    }
    case 'email': {
      const password = channel.password && (await deps.secret(channel.password));
      const to = target.to ? [...target.to] : channel.to;
      return mailNotice({ ...channel, to }, password, timeoutMs, notice);
    }
    case 'command':
      return runWithNotice(channel.command, notice, channel.timeout);
  }
}
