import { decode, encode } from '@msgpack/msgpack';

/**
 * The Redis list into which a Gateway pushes its records and from which the Pump takes them. With
 * `enable_multiple_analytics_keys` it is ten lists, this name followed by `_0` to `_9`.
 */
export const ANALYTICS_LIST = 'analytics-tyk-system-analytics';

/** One request as Gateway and Pump exchange it. The names are the wire's: Go field names, not JSON tags. */
export interface AnalyticsRecord {
  readonly Method: string;
  readonly Host: string;
  readonly Path: string;
  readonly RawPath: string;
  readonly ContentLength: number;
  readonly UserAgent: string;
  readonly Day: number;
  readonly Month: number;
  readonly Year: number;
  readonly Hour: number;
  readonly ResponseCode: number;
  /** The key's hash where the Gateway hashes keys; empty on a keyless API. */
  readonly APIKey: string;
  readonly TimeStamp: Date;
  readonly APIVersion: string;
  readonly APIName: string;
  readonly APIID: string;
  readonly OrgID: string;
  readonly OauthID: string;
  /** Milliseconds, upstream included. */
  readonly RequestTime: number;
  readonly RawRequest: string;
  readonly RawResponse: string;
  readonly IPAddress: string;
  readonly Geo: AnalyticsGeo;
  readonly Network: AnalyticsNetwork;
  /** Milliseconds. */
  readonly Latency: { readonly Total: number; readonly Upstream: number };
  readonly Tags: readonly string[];
  readonly Alias: string;
  readonly TrackPath: boolean;
  readonly ExpireAt: Date;
  readonly ApiSchema: string;
  readonly GraphQLStats: AnalyticsGraphQl;
  readonly CollectionName: string;
}

interface AnalyticsGeo {
  readonly Country: { readonly ISOCode: string };
  readonly City: { readonly GeoNameID: number; readonly Names: Readonly<Record<string, string>> | null };
  readonly Location: { readonly Latitude: number; readonly Longitude: number; readonly TimeZone: string };
}

interface AnalyticsNetwork {
  readonly OpenConnections: number;
  readonly ClosedConnection: number;
  readonly BytesIn: number;
  readonly BytesOut: number;
}

interface AnalyticsGraphQl {
  readonly Variables: string;
  readonly RootFields: readonly string[] | null;
  readonly Types: Readonly<Record<string, readonly string[]>> | null;
  readonly Errors: readonly unknown[] | null;
  readonly OperationType: number;
  readonly HasErrors: boolean;
  readonly IsGraphQL: boolean;
}

/** What a Gateway leaves empty on a plain HTTP API without GeoIP. */
export const EMPTY_ANALYTICS = {
  OauthID: '',
  RawRequest: '',
  RawResponse: '',
  Geo: {
    Country: { ISOCode: '' },
    City: { GeoNameID: 0, Names: null },
    Location: { Latitude: 0, Longitude: 0, TimeZone: '' },
  },
  Network: { OpenConnections: 0, ClosedConnection: 0, BytesIn: 0, BytesOut: 0 },
  TrackPath: false,
  ApiSchema: '',
  GraphQLStats: {
    Variables: '',
    RootFields: null,
    Types: null,
    Errors: null,
    OperationType: 0,
    HasErrors: false,
    IsGraphQL: false,
  },
  CollectionName: '',
} as const satisfies Partial<AnalyticsRecord>;

/** MessagePack as a Gateway writes it: a map in field order, times as pairs of seconds and nanoseconds. */
export function encodeAnalyticsRecord(record: AnalyticsRecord): Buffer {
  const { TimeStamp, ExpireAt, Geo, ...plain } = record;
  const encoded: Record<string, Uint8Array> = {
    TimeStamp: encode(toSecondsAndNanos(TimeStamp)),
    ExpireAt: encode(toSecondsAndNanos(ExpireAt)),
    Geo: encodeGeo(Geo),
  };
  for (const [name, value] of Object.entries(plain)) encoded[name] = encode(value);
  return encodeMap(Object.keys(record).map((name) => [name, encoded[name]!]));
}

/** The reverse. Throws where the bytes are no MessagePack map. */
export function decodeAnalyticsRecord(bytes: Uint8Array): AnalyticsRecord {
  const raw = decode(bytes) as Omit<AnalyticsRecord, 'TimeStamp' | 'ExpireAt'> & {
    TimeStamp: [number, number];
    ExpireAt: [number, number];
  };
  return {
    ...raw,
    Tags: raw.Tags ?? [],
    TimeStamp: fromSecondsAndNanos(raw.TimeStamp),
    ExpireAt: fromSecondsAndNanos(raw.ExpireAt),
  };
}

// The Pump reads coordinates only as doubles, and the encoder would write 0 as an integer.
function encodeGeo(geo: AnalyticsGeo): Buffer {
  return encodeMap([
    ['Country', encode(geo.Country)],
    ['City', encode(geo.City)],
    ['Location', encode(geo.Location, { forceIntegerToFloat: true })],
  ]);
}

function encodeMap(entries: readonly (readonly [string, Uint8Array])[]): Buffer {
  const header = Buffer.alloc(3);
  header.writeUInt8(0xde);
  header.writeUInt16BE(entries.length, 1);
  return Buffer.concat([header, ...entries.flatMap(([name, value]) => [encode(name), value])]);
}

function toSecondsAndNanos(time: Date): [number, number] {
  const ms = time.getTime();
  const seconds = Math.floor(ms / 1000);
  return [seconds, (ms - seconds * 1000) * 1_000_000];
}

function fromSecondsAndNanos([seconds, nanos]: [number, number]): Date {
  return new Date(seconds * 1000 + Math.floor(nanos / 1_000_000));
}
