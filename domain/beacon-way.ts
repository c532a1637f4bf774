import { mergeRuns, type MarkedStore, type Run } from './beacon.ts';
import type { StoreLoss } from './loss.ts';

/**
 * What a site's stores are expected to hold, by the recoveries that its data came through: the numbers of every site on
 * that way, each as long as it served. Pure.
 */

/** As the journal keeps it: one of each worker that measured in a run. */
export interface Handover {
  readonly run: string;
  readonly epoch: number;
  readonly from: string;
  readonly to: string;
  readonly at: string;
  readonly losses: readonly StoreLoss[];
}

/** A stretch of the way: numbers of this site behind `after`, up to and with `upTo`. */
interface Stretch {
  readonly site: string;
  readonly after: number;
  readonly upTo: number;
}

export interface Way {
  readonly sites: readonly string[];
  /** Numbers that a recovery on the way had lost: nobody has them any more. */
  readonly lost: readonly Run[];
  /** @param of all numbers that a site's store has ever acknowledged */
  numbers(of: (site: string) => readonly Run[]): Run[];
}

/** @param handovers oldest first */
export function wayTo(site: string, store: MarkedStore, handovers: readonly Handover[]): Way {
  const stretches: Stretch[] = [];
  const lost: (readonly Run[])[] = [];
  let [at, upTo, until] = [site, Infinity, Infinity];
  for (;;) {
    const last = handovers.findLast(({ to, epoch }) => to === at && epoch < until);
    // On several hosts each worker has measured its own stores.
    const own = last && handovers.filter(({ run }) => run === last.run).flatMap(({ losses }) => losses);
    const loss = own?.find((each) => each.store === store);
    const end = last && (loss?.newestJournalled ?? Math.floor(Date.parse(last.at) / SECOND_MS));
    stretches.push({ site: at, after: end ?? -Infinity, upTo });
    if (!last || end === undefined) break;
    if (loss?.lostRuns) lost.push(loss.lostRuns);
    // A site that was given up may still acknowledge what it had under way: it went to no other site.
    [at, upTo, until] = [last.from, end, last.epoch];
  }
  return {
    sites: [...new Set(stretches.map((stretch) => stretch.site))],
    lost: mergeRuns(lost),
    numbers: (of) => mergeRuns(stretches.map((stretch) => clip(of(stretch.site), stretch))),
  };
}

const SECOND_MS = 1000;

/** By arithmetic: a year of a number a second is one run. */
function clip(runs: readonly Run[], { after, upTo }: Stretch): Run[] {
  return runs.flatMap(([first, last, step]): Run[] => {
    const begin = first > after ? first : first + (Math.floor((after - first) / step) + 1) * step;
    const end = last <= upTo ? last : first + Math.floor((upTo - first) / step) * step;
    return begin <= end ? [[begin, end, step]] : [];
  });
}
