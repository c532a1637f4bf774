import { createHash } from 'node:crypto';
import {
  INDEX,
  indexText,
  parseIndex,
  SIGNATURE,
  type PackHeader,
  type PackIndex,
} from '../../domain/evidence.ts';
import type { Secret } from '../../domain/secret.ts';
import { publicKeyOf, signatureProblem, signBytes } from '../backup/signing.ts';
import { BLOCK, readTar, writeTar, type Member } from './tar.ts';

/** One evidence pack as bytes: the index, its signature, then every member in the order of names. */

export const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** The same members, header and key give the same bytes. */
export function makePack(
  members: readonly Member[],
  header: Omit<PackHeader, 'key'>,
  signingKey: Secret,
): { archive: Buffer; digest: string } {
  const sums = new Map(members.map(({ name, data }) => [name, sha256(data)]));
  const index = Buffer.from(indexText({ ...header, key: publicKeyOf(signingKey) }, sums));
  const signature = Buffer.from(signBytes(index, signingKey).signature, 'base64');
  const all = [{ name: INDEX, data: index }, { name: SIGNATURE, data: signature }, ...sorted(members)];
  return { archive: writeTar(all, secondsOf(header.createdAt)), digest: sha256(index) };
}

export interface OpenedPack {
  /** Undefined where there is none that can be read. */
  readonly index: PackIndex | undefined;
  /** SHA-256 of INDEX. */
  readonly digest: string | undefined;
  readonly members: readonly Member[];
  /** Every way in which it is not what was signed; none where it is. */
  readonly problems: readonly string[];
}

/** Reads an archive and names everything that differs from what one of the keys has signed. */
export function openPack(archive: Buffer, keys: readonly string[]): OpenedPack {
  const members = readTar(archive);
  const found = (name: string): Buffer | undefined => members.find((member) => member.name === name)?.data;
  const [text, signature] = [found(INDEX), found(SIGNATURE)];
  const index = text && parseIndex(text.toString('utf8'));
  const bare = { index, digest: text && sha256(text), members };
  if (!text) return { ...bare, problems: [`it is no evidence pack: it has no ${INDEX}`] };
  if (!index) return { ...bare, problems: [`${INDEX} was changed: it is not in the form of an index`] };
  if (!signature) return { ...bare, problems: [`${SIGNATURE} is missing: nobody has signed it`] };
  const refused = signatureProblem(text, { key: index.key, signature: signature.toString('base64') }, keys);
  const problems = [
    ...(refused === undefined ? [] : [`${INDEX}: ${refused}`]),
    ...contentProblems(members, index),
  ];
  if (problems.length > 0) return { ...bare, problems };
  const again = writeTar(
    [{ name: INDEX, data: text }, { name: SIGNATURE, data: signature }, ...sorted(members.filter(isListed))],
    secondsOf(index.createdAt),
  );
  const differs = again.equals(archive)
    ? []
    : [
        `the archive was changed at byte ${firstDifference(again, archive)}, ${placeOf(members, archive, again)}`,
      ];
  return { ...bare, problems: differs };
}

/** Members that were changed, are missing, were added, or stand there twice. */
function contentProblems(members: readonly Member[], { sums }: PackIndex): string[] {
  const seen = new Map<string, number>();
  for (const { name } of members) seen.set(name, (seen.get(name) ?? 0) + 1);
  return [
    ...members
      .filter(isListed)
      .filter(({ name, data }) => sums.has(name) && sums.get(name) !== sha256(data))
      .map(({ name }) => `${name} was changed`),
    ...[...sums.keys()].filter((name) => !seen.has(name)).map((name) => `${name} is missing`),
    ...[...seen.keys()]
      .filter((name) => name !== INDEX && name !== SIGNATURE && !sums.has(name))
      .map((name) => `${printable(name)} was added`),
    ...[...seen].filter(([, times]) => times > 1).map(([name]) => `${printable(name)} is there twice`),
  ];
}

const isListed = ({ name }: Member): boolean => name !== INDEX && name !== SIGNATURE;

const sorted = (members: readonly Member[]): Member[] =>
  [...members].sort((a, b) => (a.name < b.name ? -1 : 1));

const secondsOf = (at: string): number => Math.floor(Date.parse(at) / 1000);

const printable = (name: string): string => name.replaceAll(/[^\x20-\x7e]/g, '?');

function firstDifference(a: Buffer, b: Buffer): number {
  const shorter = Math.min(a.length, b.length);
  let at = 0;
  // Block by block, then within the one that differs.
  while (at < shorter && a.subarray(at, at + BLOCK).equals(b.subarray(at, at + BLOCK))) at += BLOCK;
  while (at < shorter && a[at] === b[at]) at += 1;
  return Math.min(at, shorter);
}

/** In whose header, behind whose content, or after the end. */
function placeOf(members: readonly Member[], archive: Buffer, again: Buffer): string {
  const at = firstDifference(again, archive);
  let start = 0;
  for (const { name, data } of members) {
    const end = start + BLOCK + Math.ceil(data.length / BLOCK) * BLOCK;
    if (at < end) return `in the header or the padding of ${printable(name)}`;
    start = end;
  }
  return 'after the last member';
}
