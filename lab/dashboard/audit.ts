import { randomUUID } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';

/** The audit log of requests below /api, a line of JSON each, with the fields that Tyk documents. */
export function auditor(file: string | undefined) {
  return async ({ method = '', socket }: IncomingMessage, url: URL, status: number): Promise<void> => {
    if (file === undefined || !url.pathname.startsWith('/api/')) return;
    const now = new Date();
    const line = {
      req_id: randomUUID(),
      org_id: '',
      date: now.toUTCString(),
      timestamp: String(Math.floor(now.getTime() / 1000)),
      ip: socket.remoteAddress ?? '',
      user: 'lab-admin@example.com',
      action: `${method === 'PUT' ? 'Update' : 'Get'} API`,
      method,
      url: url.pathname,
      status,
    };
    await appendFile(file, `${JSON.stringify(line)}\n`);
  };
}
