import type { AnalyticsRecord } from '../tyk/analytics-record.ts';

/** A record under the column names of `tyk_analytics`. */
export function toRow(record: AnalyticsRecord): Readonly<Record<string, unknown>> {
  const row = {
    method: record.Method,
    host: record.Host,
    path: record.Path,
    rawpath: record.RawPath,
    contentlength: record.ContentLength,
    useragent: record.UserAgent,
    day: record.Day,
    month: record.Month,
    year: record.Year,
    hour: record.Hour,
    responsecode: record.ResponseCode,
    apikey: record.APIKey,
    timestamp: record.TimeStamp.toISOString(),
    apiversion: record.APIVersion,
    apiname: record.APIName,
    apiid: record.APIID,
    orgid: record.OrgID,
    oauthid: record.OauthID,
    requesttime: record.RequestTime,
    ipaddress: record.IPAddress,
    tags: record.Tags.join(','),
    alias: record.Alias,
    trackpath: record.TrackPath,
    expireat: record.ExpireAt.toISOString(),
  };
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [column, withoutNul(value)]));
}

// PostgreSQL's text cannot hold it, and one such header would cost the whole chunk.
function withoutNul(value: string | number | boolean): string | number | boolean {
  return typeof value === 'string' ? value.replaceAll('\0', '') : value;
}
