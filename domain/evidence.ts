import type { PackFacts } from './control-parts.ts';
import type { RunRecord } from './run.ts';

/**
 * The index of an evidence pack: one signed text that names the pack, its place in the chain and the SHA-256 of every
 * other member, in the form that `sha256sum --check` reads. Pure.
 */

export const INDEX = 'INDEX';
export const SIGNATURE = 'INDEX.sig';

const FIRST_LINE = '# tyk-dr evidence pack, format 1';
/** What stands in the place of the digest before the first pack. */
const NONE = 'none';

export interface PackHeader {
  readonly deployment: string;
  readonly run: string;
  /** 1 is the first of the deployment. */
  readonly sequence: number;
  /** SHA-256 of the INDEX of the pack before; undefined for the first. */
  readonly previous: string | undefined;
  /** When it was made, UTC ISO to the second: also the time of every member. */
  readonly createdAt: string;
  readonly tool: string;
  /** The public key that signed it: `ed25519:BASE64`. */
  readonly key: string;
}

export interface PackIndex extends PackHeader {
  /** SHA-256 by name of member. */
  readonly sums: ReadonlyMap<string, string>;
}

/** `acme-000003.tar`: sorts in the order of the chain. */
export function packName(deployment: string, sequence: number): string {
  return `${deployment}-${String(sequence).padStart(6, '0')}.tar`;
}

/** What the name of a file says that it is; undefined where it says nothing. */
export function namedPack(name: string): { deployment: string; sequence: number } | undefined {
  const [, deployment, digits] = /^([a-z0-9][a-z0-9-]{0,39})-(\d{6})\.tar$/.exec(name) ?? [];
  return deployment === undefined ? undefined : { deployment, sequence: Number(digits) };
}

/** @param sums by name, in any order */
export function indexText(header: PackHeader, sums: ReadonlyMap<string, string>): string {
  return [
    FIRST_LINE,
    `# deployment: ${header.deployment}`,
    `# run: ${header.run}`,
    `# sequence: ${header.sequence}`,
    `# previous: ${header.previous ?? NONE}`,
    `# created: ${header.createdAt}`,
    `# tool: ${header.tool}`,
    `# key: ${header.key}`,
    ...[...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, sum]) => `${sum}  ${name}`),
    '',
  ].join('\n');
}

/** Only exactly as we write it: undefined for any other text. */
export function parseIndex(text: string): PackIndex | undefined {
  const lines = text.split('\n');
  const field = (at: number, name: string): string | undefined => {
    const start = `# ${name}: `;
    return lines[at]?.startsWith(start) ? lines[at].slice(start.length) : undefined;
  };
  const [deployment, run, sequence, previous, createdAt, tool, key] = [
    ...['deployment', 'run', 'sequence', 'previous', 'created', 'tool', 'key'],
  ].map((name, at) => field(at + 1, name));
  if (!deployment || !run || !sequence || !previous || !createdAt || !tool || !key) return undefined;
  if (!/^[1-9]\d{0,5}$/.test(sequence) || Number.isNaN(Date.parse(createdAt))) return undefined;
  const sums = new Map<string, string>();
  for (const line of lines.slice(8, -1)) {
    const [, sum, name] = /^([0-9a-f]{64}) {2}([A-Za-z0-9][A-Za-z0-9._/-]*)$/.exec(line) ?? [];
    if (sum === undefined || name === undefined) return undefined;
    sums.set(name, sum);
  }
  const header = {
    ...{ deployment, run, sequence: Number(sequence), createdAt, tool, key },
    previous: previous === NONE ? undefined : previous,
  };
  return indexText(header, sums) === text ? { ...header, sums } : undefined;
}

/** What keeping a pack gives back. */
export interface KeptPack {
  readonly file: string;
  readonly sequence: number;
  /** SHA-256 of its INDEX: what the next pack names, and what is worth noting elsewhere. */
  readonly digest: string;
  readonly bytes: number;
  readonly members: number;
  /** What it does not hold, each with why. */
  readonly absent: readonly string[];
}

/** Makes the texts of a pack; given by whoever may see `report/`. */
export interface RenderEvidence {
  /** From a record without secrets: file names and texts. */
  report(record: RunRecord): Readonly<Record<string, string>>;
  /** What the pack holds, what it does not, and which requirement each part answers. */
  contents(
    facts: PackFacts & { readonly members: readonly string[]; readonly absent: readonly string[] },
  ): Readonly<Record<string, string>>;
}
