import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** What the upstream saw; it answers with exactly this. */
export interface Echo {
  readonly upstream: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Upstream {
  readonly url: string;
  stop(): Promise<void>;
}

/** An HTTP server that answers every request with what it saw of it, under its own name. */
export async function startUpstream(name = 'upstream'): Promise<Upstream> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method, url, headers } = request;
    const echo = { upstream: name, method, url, headers, body: Buffer.concat(chunks).toString() };
    const status = Number(headers['x-answer-with'] ?? 200);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(echo));
  };
  const server: Server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('the upstream has no address');
  return {
    url: `http://127.0.0.1:${address.port}`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
