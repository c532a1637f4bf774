import { z } from 'zod';

/** The section about several deployments at once: how many of them are recovered at the same time. */

/** Runs of one fleet all lie in Temporal at once; it takes 2,000 of them, and a host far fewer. */
const count = z.int().min(1).max(500);

export const fleet = z
  .strictObject({
    all: count
      .default(32)
      .describe('Over everything: what Temporal and the workers that serve its workflows can tell at once.'),
    perSite: count
      .default(16)
      .describe('On one target site: its network and its storage are shared by all that is restored there.'),
    perRepository: count
      .default(8)
      .describe('That read from one backup repository: more only make each of them slower.'),
    perWorker: count
      .default(2)
      .describe(
        "That one worker restores for: while one reads and writes its host's disk, the other starts and proves.",
      ),
  })
  .describe('How many deployments recover --all recovers at the same time.');
