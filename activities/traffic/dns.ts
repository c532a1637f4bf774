import { lookUp, replaceRecords, sameSet, type RecordSet } from '../../adapters/dns/update.ts';
import type { DnsTraffic } from '../../domain/config-traffic.ts';
import { formatDuration } from '../../domain/duration.ts';
import { DrError } from '../../domain/errors.ts';
import { absolute, nameOfTraffic, spelledRecords } from '../../domain/traffic.ts';
import { proof } from '../proofs.ts';
import { requireTool } from '../require-tool.ts';
import type { At, Moved, TrafficDriver } from './driver.ts';

/** One name of a zone, by signed dynamic updates. The server that takes the updates is asked, and nobody's cache. */

export function dnsDriver(traffic: DnsTraffic, { secret }: At): TrafficDriver {
  const name = nameOfTraffic(traffic);
  const failed = (reason: string): DrError => new DrError('TRAFFIC_FAILED', { backend: name, reason });
  const key = () => secret(traffic.key.secret);
  const seen = async (): Promise<RecordSet> => {
    const set = await lookUp(traffic, await key());
    return { ...set, records: spelledRecords(traffic.type, set.records) };
  };
  const ownOf = (site: string): RecordSet => {
    const records = traffic.records[site];
    if (!records) throw failed(`has no records declared for ${site}`);
    return { records: spelledRecords(traffic.type, records), ttlSeconds: traffic.ttl / 1000 };
  };

  const replace = async (wanted: RecordSet): Promise<Moved> => {
    const before = await seen();
    const now = `${absolute(traffic.name)} is ${wanted.records.join(', ') || 'without a record'}`;
    if (sameSet(before, wanted)) return { changed: false, what: now, notes: [] };
    await replaceRecords(traffic, await key(), before, wanted);
    const after = await seen();
    if (!sameSet(after, wanted))
      throw failed(`answers ${after.records.join(', ') || 'nothing'} though it has taken the update`);
    const kept = before.records.length > 0 && before.records.join() !== wanted.records.join();
    const held = `clients and resolvers may keep ${before.records.join(', ')} for ${formatDuration(before.ttlSeconds * 1000)} more`;
    return { changed: true, what: now, notes: kept ? [held] : [] };
  };

  return {
    name,

    async look() {
      const set = await seen();
      const site = Object.keys(traffic.records).find(
        (each) => ownOf(each).records.join() === set.records.join(),
      );
      return { shares: site === undefined ? {} : { [site]: 100 }, found: { kind: 'dns', ...set } };
    },

    async check(site) {
      for (const tool of TOOLS) await requireTool(tool, 'the host of the traffic’s worker');
      ownOf(site);
      const set = await seen();
      // What is there already, once more: it changes nothing, and is refused as a change would be.
      await replaceRecords(traffic, await key(), set, set);
      return [proof(`the name server takes updates of ${traffic.name}`, true, 'accepted', 'accepted')];
    },

    async point(site, percent) {
      if (percent !== 100)
        throw failed(`cannot give ${site} ${percent} %: a record sends all clients or none`);
      return replace(ownOf(site));
    },

    // Without its record the name would not exist, and resolvers keep that as well: worse than no answer of a server.
    async holdOut(site) {
      const set = await seen();
      if (set.records.join() !== ownOf(site).records.join())
        return { changed: false, what: `${site} had no traffic`, notes: [] };
      const what = `${traffic.name} goes on to lead to ${site}: a DNS record cannot keep clients away`;
      return {
        changed: false,
        what,
        notes: [],
        exception: `clients could reach ${site} before it was proven: ${what}`,
      };
    },

    async putBack(found) {
      if (found.kind !== 'dns') throw failed(`was ${found.kind} when it was recorded`);
      return replace({ records: found.records, ttlSeconds: found.ttlSeconds });
    },

    async leadsTo(site) {
      const { records } = await seen();
      const wanted = ownOf(site).records;
      const said = records.join(', ') || 'nothing';
      return proof(
        `the name server answers for ${traffic.name}`,
        records.join() === wanted.join(),
        wanted.join(', '),
        said,
      );
    },

    async doors() {
      return (await seen()).records.map((record) => record.replace(/\.$/, ''));
    },
  };
}

const TOOLS = ['dig', 'nsupdate'] as const;
