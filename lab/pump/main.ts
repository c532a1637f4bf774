/**
 * A stand-in for the Tyk Pump, for the lab: takes analytics records out of Redis and writes them to PostgreSQL or
 * MongoDB. It pops first and writes then, as the real one: what is popped while the database is away is lost.
 *
 *   node dist/lab/pump/main.js --conf /path/to/pump.conf
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Redis } from 'ioredis';
import { log, reasonOf } from '../gateway/log.ts';
import { connectRedis } from '../gateway/redis.ts';
import { readConf, type Conf } from './conf.ts';
import { MongoSink } from './mongo-sink.ts';
import { PostgresSink, type Sink } from './sink.ts';
import { LISTS, pop } from './source.ts';
import { AGGREGATES, RECORDS } from './tables.ts';

/** What is in memory at once where the configuration sets no limit. */
const SLICE = 1000;
/** A chunk under way may end; a store that hangs does not keep the Pump from ending. */
const STOP_MS = 6000;

const { values } = parseArgs({ options: { conf: { type: 'string', default: 'pump.conf' } } });
try {
  await run(await readConf(values.conf));
  process.exit(0);
} catch (error) {
  log('error', `cannot start: ${reasonOf(error)}`);
  process.exit(1);
}

async function run(conf: Conf): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log('info', `${signal}: stopping`);
      setTimeout(() => process.exit(1), STOP_MS).unref();
      stop.abort();
    });
  }
  const health = await serveHealth(conf);
  const redis = connectRedis(conf.redis, 'analytics');
  const sinks: Sink[] = [
    ...(conf.records ? [new PostgresSink(conf.records, RECORDS)] : []),
    ...(conf.aggregates ? [new PostgresSink(conf.aggregates, AGGREGATES)] : []),
    ...(conf.mongoRecords ? [new MongoSink(conf.mongoRecords, 'records')] : []),
    ...(conf.mongoAggregates ? [new MongoSink(conf.mongoAggregates, 'aggregates')] : []),
  ];
  for (const sink of sinks) await sink.open();
  while (!stop.signal.aborted) {
    await sleep(conf.purgeDelayMs, undefined, { signal: stop.signal }).catch(() => undefined);
    await purge(conf, redis, sinks, stop.signal);
  }
  redis.disconnect();
  health.close();
  await Promise.all(sinks.map((sink) => sink.close()));
  log('info', 'stopped');
}

/** One round over all lists. A Redis that is away is left for the next round: its client reports it. */
async function purge(conf: Conf, redis: Redis, sinks: readonly Sink[], stop: AbortSignal): Promise<void> {
  if (redis.status !== 'ready') return;
  for (const list of LISTS) {
    try {
      await empty(conf, redis, list, sinks, stop);
    } catch (error) {
      log('error', `${list} could not be read: ${reasonOf(error)}`);
    }
  }
}

/** Takes one chunk where the configuration sets a size, else everything, slice by slice. */
async function empty(
  conf: Conf,
  redis: Redis,
  list: string,
  sinks: readonly Sink[],
  stop: AbortSignal,
): Promise<void> {
  const atMost = conf.purgeChunk ?? SLICE;
  let popped = atMost;
  while (popped === atMost && !stop.aborted) {
    const chunk = await pop(redis, list, atMost);
    if (chunk.records.length > 0) await Promise.all(sinks.map((sink) => sink.write(chunk.records)));
    popped = conf.purgeChunk === undefined ? chunk.popped : 0;
  }
}

/** Answers that the process lives and nothing more, whatever Redis and the database do: so does the real one. */
async function serveHealth(conf: Conf): Promise<Server> {
  const server = createServer((request, response) => {
    const found = request.url?.split('?')[0] === conf.healthPath;
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
    response.end(found ? '{"status":"ok"}' : '');
  });
  server.listen(conf.healthPort, '127.0.0.1');
  await once(server, 'listening');
  log('info', `the health check listens on 127.0.0.1:${conf.healthPort}${conf.healthPath}`);
  return server;
}
