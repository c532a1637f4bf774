import { createTransport } from 'nodemailer';
import type { ChannelConfig } from '../../domain/config-notify.ts';
import { DrError } from '../../domain/errors.ts';
import type { Notice } from '../../domain/notice.ts';
import { redact, type Secret } from '../../domain/secret.ts';

/** One plain text mail. */

type EmailConfig = Extract<ChannelConfig, { kind: 'email' }>;

/** @throws DrError NOTICE_UNSENT */
export async function mailNotice(
  config: EmailConfig,
  password: Secret | undefined,
  timeoutMs: number,
  notice: Notice,
): Promise<void> {
  const { host, port, tls, user, from, to } = config;
  const transport = createTransport({
    ...{ host, port },
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    ...(user === undefined ? {} : { auth: { user, pass: password?.reveal() ?? '' } }),
    ...{ connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs },
  });
  try {
    await transport.sendMail({ from, to, subject: notice.title, text: mailText(notice) });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DrError('NOTICE_UNSENT', {
      channel: 'e-mail',
      reason: redact(reason, password ? [password] : []),
    });
  } finally {
    transport.close();
  }
}

function mailText({ title, lines, event, severity, deployment, at, about }: Notice): string {
  const facts = [
    `event: ${event}`,
    `severity: ${severity}`,
    `deployment: ${deployment}`,
    `at: ${at}`,
    `about: ${about}`,
  ];
  return [title, '', ...lines, '', ...facts].join('\n');
}
