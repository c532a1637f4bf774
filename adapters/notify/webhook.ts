import { createHmac } from 'node:crypto';
import { DrError } from '../../domain/errors.ts';
import type { Notice } from '../../domain/notice.ts';
import type { Secret } from '../../domain/secret.ts';
import { call } from '../tyk/http.ts';

/** One POST with the notice as JSON. Signed, the receiver can tell ours from anybody's. */

export interface Webhook {
  readonly url: Secret;
  readonly secret?: Secret | undefined;
  readonly timeoutMs: number;
}

/** @throws DrError NOTICE_UNSENT. It names the host only: the path of a webhook is often its password. */
export async function postNotice({ url, secret, timeoutMs }: Webhook, notice: Notice): Promise<void> {
  const body = JSON.stringify({ version: 1, ...notice });
  const signature = secret && createHmac('sha256', secret.reveal()).update(body).digest('hex');
  const headers = signature === undefined ? {} : { 'Tyk-Dr-Signature': `sha256=${signature}` };
  await post(url, body, timeoutMs, headers);
}

/** A POST that counts only where the answer is 2xx. @throws DrError NOTICE_UNSENT */
export async function post(
  url: Secret,
  body: string,
  timeoutMs: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const address = url.reveal();
  if (!URL.canParse(address) || !/^https?:/.test(address))
    throw new DrError('NOTICE_UNSENT', { channel: 'webhook', reason: 'its reference holds no http address' });
  const { status, error } = await call(address, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'User-Agent': 'tyk-dr', ...headers },
    body,
    timeoutMs,
  });
  if (status >= 200 && status < 300) return;
  throw new DrError('NOTICE_UNSENT', {
    channel: new URL(address).host,
    reason: error ?? `it answered ${status}`,
  });
}
