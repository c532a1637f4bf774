import { basename } from 'node:path';
import { namedPack } from '../../domain/evidence.ts';
import type { OpenedPack } from './pack.ts';

/** Whether packs are what was signed, each for itself and as a chain. Needs nothing but their bytes. */

export interface GivenPack {
  readonly file: string;
  readonly opened: OpenedPack;
}

export interface PackVerdict {
  readonly file: string;
  readonly deployment?: string;
  readonly run?: string;
  readonly sequence?: number;
  readonly digest?: string;
  readonly createdAt?: string;
  readonly members: number;
  readonly problems: readonly string[];
}

export interface ChainVerdict {
  readonly packs: readonly PackVerdict[];
  /** What is wrong between packs. */
  readonly chain: readonly string[];
  /** What nobody could look at from what was given. */
  readonly notChecked: readonly string[];
}

export interface ChainWish {
  /** The number that the chain may begin with; default 1 where more than one pack is given. */
  readonly first?: number;
  /** First digits of the digest that the newest pack must have, as it was noted. */
  readonly head?: string;
}

/** The packs are looked at in the order in which they are given, which is that of the chain. */
export function verifyChain(given: readonly GivenPack[], { first, head }: ChainWish = {}): ChainVerdict {
  const packs = given.map(packVerdict);
  const chain: string[] = [];
  const notChecked: string[] = [];
  for (const deployment of new Set(packs.flatMap((pack) => pack.deployment ?? []))) {
    const own = given.filter(({ opened }) => opened.index?.deployment === deployment);
    chain.push(...linkProblems(own, deployment, own.length > 1 ? (first ?? 1) : first));
    const lowest = Math.min(...own.map(({ opened }) => opened.index!.sequence));
    if (own.length === 1 && first === undefined && lowest > 1)
      notChecked.push(`the chain of ${deployment} before pack ${lowest}: its predecessors were not given`);
    const newest = own.reduce((a, b) => (a.opened.index!.sequence >= b.opened.index!.sequence ? a : b));
    const { sequence } = newest.opened.index!;
    if (head === undefined)
      notChecked.push(
        `whether pack ${sequence} is the newest of ${deployment}: --head DIGEST, as it was noted at the export`,
      );
    else if (!newest.opened.digest!.startsWith(head))
      chain.push(
        `pack ${sequence} of ${deployment} is not the newest: its digest is ${newest.opened.digest!.slice(0, 16)}, and ${head.slice(0, 16)} was noted; later packs were removed`,
      );
  }
  return { packs, chain, notChecked };
}

export function isWhole({ packs, chain }: ChainVerdict): boolean {
  return chain.length === 0 && packs.every(({ problems }) => problems.length === 0);
}

function packVerdict({ file, opened }: GivenPack): PackVerdict {
  const { index, digest, members, problems } = opened;
  const named = namedPack(basename(file));
  const misnamed =
    index && named && (named.sequence !== index.sequence || named.deployment !== index.deployment)
      ? [`it is pack ${index.sequence} of ${index.deployment}, under the name of pack ${named.sequence}`]
      : [];
  return {
    file,
    ...(index && {
      deployment: index.deployment,
      run: index.run,
      sequence: index.sequence,
      createdAt: index.createdAt,
    }),
    ...(digest !== undefined && { digest }),
    members: Math.max(0, members.length - 2),
    problems: [...problems, ...misnamed],
  };
}

/** Gaps, forks, exchanged and reordered packs, by number. */
function linkProblems(own: readonly GivenPack[], deployment: string, first: number | undefined): string[] {
  const problems: string[] = [];
  const at = (index: number): number => own[index]!.opened.index!.sequence;
  for (let index = 1; index < own.length; index += 1)
    if (at(index) < at(index - 1))
      problems.push(`pack ${at(index)} of ${deployment} stands behind pack ${at(index - 1)}: reordered`);
  const bySequence = new Map<number, GivenPack>();
  for (const pack of own) {
    const { sequence } = pack.opened.index!;
    const other = bySequence.get(sequence);
    if (other)
      problems.push(
        other.opened.digest === pack.opened.digest
          ? `pack ${sequence} of ${deployment} is given twice`
          : `there are two different packs ${sequence} of ${deployment}: ${other.file} and ${pack.file}`,
      );
    else bySequence.set(sequence, pack);
  }
  const numbers = [...bySequence.keys()].sort((a, b) => a - b);
  const from = first ?? numbers[0]!;
  for (let number = from; number < numbers.at(-1)!; number += 1)
    if (!bySequence.has(number)) problems.push(`pack ${number} of ${deployment} is missing`);
  for (const number of numbers) {
    const { previous } = bySequence.get(number)!.opened.index!;
    const before = bySequence.get(number - 1);
    if (number === 1 && previous !== undefined) problems.push(`pack 1 of ${deployment} names one before it`);
    if (number > 1 && previous === undefined)
      problems.push(`pack ${number} of ${deployment} names none before it`);
    if (before && previous !== before.opened.digest)
      problems.push(
        `pack ${number} of ${deployment} does not follow pack ${number - 1}: it names ${previous?.slice(0, 16)}, and that is ${before.opened.digest!.slice(0, 16)}`,
      );
    if (number < from) problems.push(`pack ${number} of ${deployment} is before the first, ${from}`);
  }
  return problems;
}
