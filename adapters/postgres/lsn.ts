/** Log sequence numbers and the names of WAL segments. Pure. */

/** The byte position that an LSN such as `0/39510A0` stands for. */
export function parseLsn(lsn: string): bigint {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(lsn);
  if (!match) throw new TypeError(`not an LSN: ${lsn}`);
  return (BigInt(`0x${match[1]}`) << 32n) + BigInt(`0x${match[2]}`);
}

export function formatLsn(position: bigint): string {
  const hex = (value: bigint): string => value.toString(16).toUpperCase();
  return `${hex(position >> 32n)}/${hex(position & 0xffff_ffffn)}`;
}

/** Negative, zero or positive, as a sort function wants it. */
export function compareLsn(left: string, right: string): number {
  const difference = parseLsn(left) - parseLsn(right);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

export const SEGMENT_NAME = /^[0-9A-F]{24}$/;

export function segmentTimeline(segment: string): number {
  return Number.parseInt(segment.slice(0, 8), 16);
}

/** Where a segment begins, as a position in the log. */
export function segmentStart(segment: string, segmentBytes: number): bigint {
  return segmentNumber(segment, segmentBytes) * BigInt(segmentBytes);
}

/** The name of the segment that follows on the same timeline. */
export function nextSegment(segment: string, segmentBytes: number): string {
  const perLog = 0x1_0000_0000n / BigInt(segmentBytes);
  const next = segmentNumber(segment, segmentBytes) + 1n;
  const part = (value: bigint): string => value.toString(16).toUpperCase().padStart(8, '0');
  return segment.slice(0, 8) + part(next / perLog) + part(next % perLog);
}

function segmentNumber(segment: string, segmentBytes: number): bigint {
  const perLog = 0x1_0000_0000n / BigInt(segmentBytes);
  return BigInt(`0x${segment.slice(8, 16)}`) * perLog + BigInt(`0x${segment.slice(16)}`);
}
