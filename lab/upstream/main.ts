import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

/** The service behind every API of the lab: says what it was asked. */

const { values } = parseArgs({ options: { port: { type: 'string' } } });

const server = createServer((request, response) => {
  request.resume();
  const { host, authorization, 'user-agent': userAgent } = request.headers;
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(
    JSON.stringify({
      method: request.method,
      path: request.url,
      headers: { host, authorization, 'user-agent': userAgent },
    }),
  );
});
server.keepAliveTimeout = 60_000;
server.listen(Number(values.port), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
