import { z } from 'zod';
import { argv, durationMs, host, line, name, path, port, secretRef, url } from './config-parts.ts';

/** `traffic:` of a deployment: how the clients' address is pointed at a site. One shape for each kind. */

const shared = {
  worker: name.optional().describe('The worker beside it; default that of the target site.'),
  url: url.describe('The address that clients use.'),
  steps: z
    .array(z.int().min(1).max(100))
    .min(1)
    .max(10)
    .default([100])
    .describe(
      'Shares of the traffic that the target gets one after the other, percent, the last 100; [100] is at once. Gradual only while the other site still serves.',
    ),
  hold: durationMs
    .prefault('5s')
    .describe('How long each share but the last is held and watched before the next.'),
};

const haproxy = z.strictObject({
  kind: z.literal('haproxy'),
  ...shared,
  socket: path.describe("HAProxy's runtime socket, level admin."),
  backend: line,
  servers: z.record(name, z.array(line).min(1)).describe('The servers of each site in that backend.'),
  stateFile: path
    .optional()
    .describe('Where states and weights of the servers are kept for a restart or reload of HAProxy.'),
  drainTimeout: durationMs
    .prefault('10s')
    .describe(
      'How long requests under way on a server that goes out may take to end; new ones no longer come to it.',
    ),
  upTimeout: durationMs
    .prefault('30s')
    .describe("How long HAProxy's own health checks may take to find the servers that come in up."),
  maxErrorPercent: z
    .number()
    .min(0)
    .max(100)
    .default(5)
    .describe(
      "Share of the target's answers while a share is held that may be failures (5xx, broken, no connection).",
    ),
});

/** As in a zone, with or without the dot at its end. */
const domainName = z
  .string()
  .max(254)
  .regex(
    /^(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}))*\.?$/,
    'expected a name such as api.example.org',
  );

/** Those that both BIND and nsupdate know; MD5 and SHA-1 are broken. */
const TSIG_ALGORITHMS = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;

const dns = z.strictObject({
  kind: z.literal('dns'),
  ...shared,
  server: host.describe('The name server that takes updates of the zone (its primary).'),
  port: port.default(53),
  zone: domainName,
  name: domainName.describe('The name that clients look up; it lies in the zone.'),
  type: z.enum(['A', 'AAAA', 'CNAME']),
  ttl: durationMs
    .prefault('30s')
    .describe('How long clients may keep an answer: so long some go on to the old site.'),
  records: z
    .record(name, z.array(line).min(1))
    .describe('The records of each site: addresses, or the one name of a CNAME.'),
  key: z
    .strictObject({
      name: domainName,
      algorithm: z.enum(TSIG_ALGORITHMS).default('hmac-sha256'),
      secret: secretRef.describe('In base64, as tsig-keygen writes it.'),
    })
    .describe('The TSIG key that signs queries and updates.'),
});

const command = z.strictObject({
  kind: z.literal('command'),
  ...shared,
  switch: argv.describe(
    'Gives the site TYK_DR_SITE TYK_DR_PERCENT of the traffic and leaves the rest where it is; TYK_DR_RUN names the run. Must be repeatable.',
  ),
  status: argv.describe(
    'Prints the name of the site that has the traffic, or a line SITE PERCENT for each that has some. It alone is believed.',
  ),
  holdsWithin: durationMs
    .prefault('30s')
    .describe('How long after a command has ended its effect may take to show in the status.'),
  holdOut: argv
    .optional()
    .describe(
      'Keeps all traffic from the site TYK_DR_SITE while it is rebuilt in place. Must be repeatable.',
    ),
});

export const traffic = z.discriminatedUnion('kind', [haproxy, dns, command]);

type TrafficConfig = z.output<typeof traffic>;
export type HaproxyTraffic = Extract<TrafficConfig, { kind: 'haproxy' }>;
export type DnsTraffic = Extract<TrafficConfig, { kind: 'dns' }>;
export type CommandTraffic = Extract<TrafficConfig, { kind: 'command' }>;
