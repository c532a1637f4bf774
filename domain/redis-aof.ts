import type { ManifestObject } from './manifest.ts';

/**
 * The append-only log of a Redis, shipped a piece at a time: a base that Redis wrote when it last rewrote its log, and
 * what came behind it. Together they are a Redis newer than the RDB of any set. Pure.
 */

export const AOF_FORMAT = 'tyk-dr/redis-aof/v1';

/** Signed anew with each piece; the objects that it names are there before it. */
export interface AofChain {
  readonly format: typeof AOF_FORMAT;
  /** Sorts by time, as the id of a set. */
  readonly chain: string;
  readonly deployment: string;
  readonly site: string;
  readonly version: string;
  /** What the base is to the file system: another one begins a new chain. */
  readonly baseIdentity: string;
  readonly pieces: readonly AofPiece[];
}

export interface AofPiece {
  readonly object: ManifestObject;
  readonly kind: 'base' | 'incr';
  /** The file in appendonlydir, and which bytes of it. */
  readonly name: string;
  readonly sequence: number;
  readonly from: number;
  readonly to: number;
  /** All that was acknowledged before this moment is in it or before it. */
  readonly holdsUntil: string;
  /** Nothing in it is later. */
  readonly readAt: string;
}

export interface AofFile {
  readonly name: string;
  readonly kind: 'base' | 'incr';
  readonly sequence: number;
  readonly pieces: readonly AofPiece[];
}

export interface Assembled {
  readonly files: readonly AofFile[];
  readonly holdsUntil: string;
}

/**
 * The files of the log as far as it was shipped, or until a moment.
 *
 * @returns undefined where nothing of the chain is as old as that, or a piece is missing: what comes behind a gap must
 *   not be replayed.
 */
export function assemble({ pieces }: AofChain, until?: string): Assembled | undefined {
  const usable: AofPiece[] = [];
  for (const piece of pieces) {
    if (until !== undefined && piece.readAt > until) break;
    usable.push(piece);
  }
  if (usable[0]?.kind !== 'base') return undefined;
  const files: AofFile[] = [];
  for (const piece of usable) {
    const last = files.at(-1);
    if (last && last.name === piece.name) {
      if (last.pieces.at(-1)!.to !== piece.from) return undefined;
      files[files.length - 1] = { ...last, pieces: [...last.pieces, piece] };
      continue;
    }
    const inOrder = last === undefined || last.kind === 'base' || piece.sequence === last.sequence + 1;
    if (piece.from !== 0 || !inOrder) return undefined;
    files.push({ name: piece.name, kind: piece.kind, sequence: piece.sequence, pieces: [piece] });
  }
  return { files, holdsUntil: usable.at(-1)!.holdsUntil };
}
