import { z } from 'zod';
import { argv, durationMs, host, line, name, secretRef, url } from './config-parts.ts';
import { NOTICE_EVENT_NAMES, SEVERITIES } from './notice.ts';

/** Who is told of what, on which way; and the people behind it. */

const address = line.regex(/^[^@\s<>,;]+@[^@\s<>,;]+$/, 'expected an address');
/** What is shown to people in a column. */
const label = line.max(80, 'expected at most 80 characters');

const secretUrl = secretRef.describe('A reference to its address: whoever knows it can post there.');

const webhook = z.strictObject({
  kind: z.literal('webhook'),
  url: z
    .union([url, secretRef])
    .describe('Gets a POST with JSON; a reference where the address itself is a secret.'),
  secret: secretRef
    .optional()
    .describe('Signs the body: Tyk-Dr-Signature is sha256= and its HMAC-SHA256 in hexadecimal.'),
});

const email = z.strictObject({
  kind: z.literal('email'),
  host: host.describe('The SMTP server.'),
  port: z.int().min(1).max(65_535).default(587),
  tls: z
    .enum(['starttls', 'implicit', 'none'])
    .default('starttls')
    .describe('starttls is demanded, not tried: a server without it gets no mail.'),
  user: line.optional(),
  password: secretRef.optional(),
  from: address,
  to: z.array(address).min(1),
});

const channel = z.discriminatedUnion('kind', [
  webhook,
  z.strictObject({ kind: z.literal('slack'), url: secretUrl }),
  z.strictObject({ kind: z.literal('teams'), url: secretUrl }),
  z.strictObject({
    kind: z.literal('pagerduty'),
    routingKey: secretRef.describe('The integration key of a service (Events API v2).'),
    url: url.default('https://events.pagerduty.com/v2/enqueue'),
  }),
  email,
  z.strictObject({
    kind: z.literal('command'),
    command: argv.describe('Run without a shell; gets the notice as JSON on its standard input.'),
    timeout: durationMs.prefault('10s'),
  }),
]);

const route = z.strictObject({
  severity: z
    .enum(SEVERITIES)
    .default('info')
    .describe('Only notices of at least this severity: info, warning, error, critical.'),
  events: z.array(z.enum(NOTICE_EVENT_NAMES)).min(1).optional().describe('Only these events; default all.'),
  channels: z.array(name).min(1).describe('Names of channels; all are told at the same time.'),
});

export const notify = z
  .strictObject({
    channels: z.record(name, channel).describe('The ways to tell people, by names of your own.'),
    routes: z
      .array(route)
      .min(1)
      .describe('Which notices go where. Every route that fits counts; a channel is told once.'),
    escalateAfter: durationMs
      .prefault('5m')
      .describe('Where nobody has acknowledged after this long, the contacts of the next level are told.'),
    remindEvery: durationMs
      .prefault('4h')
      .describe('What stays out of bounds is told again after this long.'),
  })
  .describe('Who hears of recoveries, failures and staleness, and when it is escalated.');

export const contacts = z
  .array(
    z.strictObject({
      name: label,
      role: label.describe('Such as incident commander.'),
      level: z
        .int()
        .min(1)
        .max(9)
        .default(1)
        .describe('1 is told at once of what must be acknowledged, the next level when nobody has.'),
      email: address.optional().describe('Told through the first channel of kind email.'),
      phone: label.optional().describe('Shown to people; nobody is called by it.'),
      channels: z.array(name).default([]).describe('Channels that lead to this person.'),
    }),
  )
  .default([])
  .describe('The people, shown in status and reports, and told level by level.');

export const vendorSupport = z
  .array(
    z.strictObject({
      name: label.describe('Such as Tyk support.'),
      contact: line.max(200).describe('Address, number or page.'),
      reference: line.max(200).optional().describe('Contract or customer number, hours, plan.'),
    }),
  )
  .default([])
  .describe('Whom to ask for help outside, shown in status and reports.');

export type NotifyConfig = z.output<typeof notify>;
export type ChannelConfig = NotifyConfig['channels'][string];
export type Contact = z.output<typeof contacts>[number];
export type VendorSupport = z.output<typeof vendorSupport>[number];
