import type { Notice } from '../../domain/notice.ts';
import type { Secret } from '../../domain/secret.ts';
import { post } from './webhook.ts';

/** Notices in the forms of Slack's incoming webhooks and of Microsoft Teams' workflows. */

/** Slack refuses a section of more than 3,000 characters. */
const SLACK_LIMIT = 2_900;

/** @throws DrError NOTICE_UNSENT */
export async function postToSlack(url: Secret, notice: Notice, timeoutMs: number): Promise<void> {
  const { title, lines } = notice;
  // Slack reads only these three as anything but themselves.
  const escaped = (text: string): string =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const sections = [`*${escaped(title)}*`, ...lines.map(escaped)].join('\n').slice(0, SLACK_LIMIT);
  const body = {
    // What a notification on a telephone shows.
    text: escaped(title),
    blocks: [
      { type: 'section', text: { type: 'mrkdwn', text: sections } },
      {
        type: 'context',
        elements: [
          {
            type: 'mrkdwn',
            text: escaped(
              factsOf(notice)
                .map(([name, value]) => `${name}: ${value}`)
                .join(' · '),
            ),
          },
        ],
      },
    ],
  };
  await post(url, JSON.stringify(body), timeoutMs);
}

/** @throws DrError NOTICE_UNSENT */
export async function postToTeams(url: Secret, notice: Notice, timeoutMs: number): Promise<void> {
  const { title, lines } = notice;
  const text = (words: string, more: object = {}): object => ({
    type: 'TextBlock',
    text: words,
    wrap: true,
    ...more,
  });
  const body = {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            text(title, { weight: 'Bolder', size: 'Medium', color: COLOURS[notice.severity] }),
            ...lines.map((line) => text(line)),
            { type: 'FactSet', facts: factsOf(notice).map(([name, value]) => ({ title: name, value })) },
          ],
        },
      },
    ],
  };
  await post(url, JSON.stringify(body), timeoutMs);
}

const COLOURS: Readonly<Record<Notice['severity'], string>> = {
  info: 'Good',
  warning: 'Warning',
  error: 'Attention',
  critical: 'Attention',
};

function factsOf({ severity, event, deployment, about, at }: Notice): [string, string][] {
  return [
    ['severity', severity],
    ['event', event],
    ['deployment', deployment],
    ['about', about],
    ['at', at],
  ];
}
