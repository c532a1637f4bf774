import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DnsTraffic } from '../../domain/config-traffic.ts';
import { DrError } from '../../domain/errors.ts';
import type { Secret } from '../../domain/secret.ts';
import { absolute } from '../../domain/traffic.ts';
import { requireWithinDrill } from '../host/isolation.ts';
import { scratchFolder } from '../host/scratch-folder.ts';
import { run } from '../process/run.ts';

/**
 * One name of a zone, looked up and changed at the name server itself: dig and nsupdate (RFC 2136), both signed (RFC
 * 8945), so that a server with views shows the one that it changes.
 */

export type Door = Pick<DnsTraffic, 'server' | 'port' | 'zone' | 'name' | 'type' | 'key'>;

/** What a name has, sorted and as the server spells it; none where it has no such record. */
export interface RecordSet {
  readonly records: readonly string[];
  readonly ttlSeconds: number;
}

/** Of one attempt; a server that is away is told at once. */
const TIMEOUT_S = 3;
const TOOL_TIMEOUT_MS = 15_000;
/** Their messages are read. */
const ENV = { LC_ALL: 'C' };

/** @throws DrError TRAFFIC_FAILED, TOOL_MISSING */
export async function lookUp(door: Door, secret: Secret): Promise<RecordSet> {
  const { server, port, name, type } = door;
  requireWithinDrill(server, port);
  const options = ['+norecurse', '+tcp', `+time=${TIMEOUT_S}`, '+tries=1', '+noall', '+comments', '+answer'];
  const { stdout, stderr, exitCode } = await withKeyFile(door, secret, (file) =>
    run(['dig', '-k', file, `@${server}`, '-p', String(port), ...options, absolute(name), type], {
      env: ENV,
      timeoutMs: TOOL_TIMEOUT_MS,
      secrets: [secret],
      // 9: no answer; 10: an internal error, told on standard error.
      allowedExitCodes: [9, 10],
    }),
  );
  const text = `${stdout}\n${stderr}`;
  if (/Couldn't verify signature|TSIG could not be validated/.test(text))
    throw failed(door, keyRefused(door));
  const status = /status: ([A-Z]+)/.exec(stdout)?.[1];
  if (exitCode !== 0 || status === undefined) throw failed(door, `does not answer: ${firstComplaint(text)}`);
  if (!['NOERROR', 'NXDOMAIN'].includes(status)) throw failed(door, `refuses to tell: ${status}`);
  if (!/flags:[a-z ]* aa[ ;]/.test(stdout))
    throw failed(door, `has no authority over ${name}: expected the zone’s primary`);
  return recordsOf(stdout, type);
}

/** A line is NAME TTL CLASS TYPE DATA. */
function recordsOf(answer: string, type: string): RecordSet {
  const lines = answer
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(';'))
    .map((line) => line.split(/\s+/))
    .filter((fields) => fields[3] === type);
  return {
    records: lines.map((fields) => fields[4]!).sort(),
    ttlSeconds: Math.max(0, ...lines.map((fields) => Number(fields[1]))),
  };
}

/**
 * Puts other records in the place of those that were seen; where somebody has changed them since, nothing.
 * The same records again change nothing, and show that the server takes our updates.
 *
 * @throws DrError TRAFFIC_FAILED, TOOL_MISSING
 */
export async function replaceRecords(
  door: Door,
  secret: Secret,
  seen: RecordSet,
  wanted: RecordSet,
): Promise<void> {
  const { server, port, zone, type } = door;
  requireWithinDrill(server, port);
  const name = absolute(door.name);
  const script = [
    `server ${server} ${port}`,
    `zone ${absolute(zone)}`,
    ...(seen.records.length === 0
      ? [`prereq nxrrset ${name} ${type}`]
      : seen.records.map((record) => `prereq yxrrset ${name} IN ${type} ${record}`)),
    // Of a set that stays the time to live alone can differ: that takes a deletion as well.
    ...(sameSet(seen, wanted) ? [] : [`update delete ${name} ${type}`]),
    ...wanted.records.map((record) => `update add ${name} ${wanted.ttlSeconds} IN ${type} ${record}`),
    'send',
  ];
  const { stdout, stderr, exitCode } = await withKeyFile(door, secret, (file) =>
    run(['nsupdate', '-v', '-t', String(2 * TIMEOUT_S), '-k', file], {
      input: `${script.join('\n')}\n`,
      env: ENV,
      timeoutMs: TOOL_TIMEOUT_MS,
      secrets: [secret],
      allowedExitCodes: [1, 2],
    }),
  );
  if (exitCode !== 0) throw failed(door, refusal(door, `${stdout}\n${stderr}`));
}

function refusal(door: Door, text: string): string {
  const code = /update failed: (\w+)/.exec(text)?.[1];
  if (/TSIG error|BADKEY|BADSIG|BADTIME/.test(text)) return keyRefused(door);
  if (code === 'NXRRSET' || code === 'YXRRSET')
    return `was changed by somebody else in this moment; nothing was changed`;
  if (code === 'REFUSED') return `refuses updates of ${door.zone} by the key ${door.key.name}`;
  if (code === 'NOTAUTH' || code === 'NOTZONE') return `has no authority over the zone ${door.zone}`;
  return code === undefined ? `does not answer: ${firstComplaint(text)}` : `refuses the update: ${code}`;
}

const keyRefused = ({ key }: Door): string =>
  `refuses the key ${key.name}: its name, algorithm or secret is another there, or a clock is wrong`;

const failed = ({ name, type, server }: Door, reason: string): DrError =>
  new DrError('TRAFFIC_FAILED', { backend: `${name} ${type} at ${server}`, reason });

/** The tools say much; one line tells what is wrong. */
function firstComplaint(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/^[;\s]+/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('<<>>'));
  return (
    lines.find((line) => /timed out|refused|unreachable|reached|error|fail/i.test(line)) ??
    lines[0] ??
    'no word'
  );
}

export const sameSet = (left: RecordSet, right: RecordSet): boolean =>
  left.ttlSeconds === right.ttlSeconds && left.records.join('\n') === right.records.join('\n');

/** The key goes to the tools by a file that only this user can read, and that is gone afterwards. */
async function withKeyFile<T>(door: Door, secret: Secret, work: (file: string) => Promise<T>): Promise<T> {
  const value = secret.reveal().trim();
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(value))
    throw failed(door, 'cannot be asked: the TSIG secret is no base64');
  const folder = await scratchFolder('dns');
  try {
    const file = join(folder, 'tsig.key');
    const { name, algorithm } = door.key;
    await writeFile(file, `key "${name}" { algorithm ${algorithm}; secret "${value}"; };\n`, { mode: 0o600 });
    return await work(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
