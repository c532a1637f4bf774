import type { Contents } from '../../domain/config-diff.ts';
import { listFiles, readBlobs, type Copy } from '../git/repository.ts';

/** Reads what commits hold of a deployment. */

/** The contents of the files in which two commits (or trees) differ, before and after. */
export async function changedContents(
  copy: Copy,
  deployment: string,
  before: string | undefined,
  after: string | undefined,
): Promise<[Contents, Contents]> {
  const empty: Awaited<ReturnType<typeof listFiles>> = new Map();
  const [old, now] = await Promise.all(
    [before, after].map(async (commit) =>
      commit === undefined ? empty : listFiles(copy, commit, deployment),
    ),
  );
  const differs = (path: string): boolean => old!.get(path)?.blob !== now!.get(path)?.blob;
  const paths = [...new Set([...old!.keys(), ...now!.keys()])].filter(differs);
  const blobs = paths.flatMap((path) => [old!.get(path)?.blob, now!.get(path)?.blob]);
  const contents = await readBlobs(
    copy,
    blobs.filter((blob) => blob !== undefined),
  );
  const side = (files: typeof empty): Contents =>
    new Map(
      paths.flatMap((path) => {
        const content = contents.get(files.get(path)?.blob ?? '');
        return content === undefined ? [] : [[path, content] as const];
      }),
    );
  return [side(old!), side(now!)];
}
