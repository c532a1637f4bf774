import type { PaperMakers } from '../activities/papers.ts';
import { configDigest } from '../adapters/config/digest.ts';
import { htmlOf, markdownOf, type Document } from '../report/document.ts';
import { handbookDocument } from '../report/handbook.ts';
import { reviewDocument } from '../report/review.ts';
import { shapeOf } from '../runbooks/shape-of.ts';

/** Where the texts of reviews and handbooks meet what a worker knows. */
export function renderPapers(version: string): PaperMakers {
  return {
    review: ({ name, deployment, known, now }, quarter, more) => {
      const { tier, objectives } = shapeOf(name, deployment);
      return texts(
        reviewDocument({ name, tier, objectives, people: deployment, quarter, ...known, ...more, now }),
      );
    },
    handbook: ({ name, deployment, known: { records }, now }, settings, standby) =>
      texts(
        handbookDocument({
          ...{ name, deployment, version, records, now, settings, standby },
          configDigest: configDigest(deployment),
          shape: shapeOf(name, deployment),
        }),
      ),
  };
}

const texts = (document: Document): Record<string, string> => ({
  html: htmlOf(document),
  md: markdownOf(document),
});
