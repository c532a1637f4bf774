/** The slots of a Redis Cluster, pure: which slot a key has, and which node has which slots. */

export const SLOTS = 16_384;

/** As `CLUSTER KEYSLOT`: CRC16 of what stands in the first braces, else of the whole key. */
export function keySlot(key: Buffer): number {
  const open = key.indexOf(0x7b);
  const close = open < 0 ? -1 : key.indexOf(0x7d, open + 1);
  const hashed = close > open + 1 ? key.subarray(open + 1, close) : key;
  let crc = 0;
  for (const byte of hashed) crc = ((crc << 8) & 0xffff) ^ CRC16[((crc >> 8) ^ byte) & 0xff]!;
  return crc % SLOTS;
}

/** CRC-16/XMODEM. */
const CRC16 = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  return crc;
});

export interface ClusterNode {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly role: 'master' | 'replica';
  /** Of which master this is a replica. */
  readonly of?: string;
  /** Answers, as far as the node that was asked knows. */
  readonly sound: boolean;
  readonly slots: readonly (readonly [first: number, last: number])[];
}

/**
 * Reads `CLUSTER NODES`.
 *
 * @param asked the host at which the answering node was reached: a node that nobody has met calls itself nothing.
 * @param byName names in place of addresses where the nodes announce them: a certificate bears names.
 */
export function parseClusterNodes(text: string, asked: string, byName: boolean): ClusterNode[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [id, address, flags, master, , , , link, ...slots] = line.trim().split(' ');
      const [, ip, port, name] = /^(.*):(\d+)(?:@\d+)?(?:,([^,]*))?/.exec(address ?? '') ?? [];
      const marks = (flags ?? '').split(',');
      const replica = marks.includes('slave') || marks.includes('replica');
      return {
        id: id ?? '',
        host: (byName && name) || ip || asked,
        port: Number(port ?? 0),
        role: replica ? 'replica' : 'master',
        ...(replica ? { of: master ?? '' } : {}),
        sound:
          (link === 'connected' || marks.includes('myself')) &&
          !marks.some((mark) => ['fail', 'fail?', 'handshake', 'noaddr'].includes(mark)),
        // A slot in brackets is on its way: see `openSlots`.
        slots: slots
          .filter((slot) => !slot.startsWith('['))
          .map((slot): [number, number] => {
            const [first, last = first] = slot.split('-').map(Number);
            return [first!, last!];
          }),
      };
    });
}

/** Slots that are on their way from one node to another: their keys are on either. */
export function openSlots(text: string): string[] {
  return [...new Set([...text.matchAll(/\[(\d+)-[<>]-/g)].map(([, slot]) => slot!))];
}

/** Why the nodes are no whole cluster; undefined where they are. */
export function slotProblem(nodes: readonly ClusterNode[]): string | undefined {
  const owners = slotOwners(nodes);
  const missing = owners.filter((owner) => owner === undefined).length;
  if (missing > 0) {
    const first = owners.indexOf(undefined);
    return `${missing} of ${SLOTS} slots have no master, the first is ${first}`;
  }
  const away = nodes.filter(({ role, slots, sound }) => role === 'master' && slots.length > 0 && !sound);
  return away.length === 0
    ? undefined
    : `the master at ${away.map(({ host, port }) => `${host}:${port}`).join(', ')} does not answer`;
}

/** By slot, the master that has it. */
export function slotOwners(nodes: readonly ClusterNode[]): (ClusterNode | undefined)[] {
  const owners = Array.from({ length: SLOTS }, (): ClusterNode | undefined => undefined);
  for (const node of nodes) {
    if (node.role !== 'master') continue;
    for (const [first, last] of node.slots) owners.fill(node, first, last + 1);
  }
  return owners;
}
