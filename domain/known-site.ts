import { DrError } from './errors.ts';

/** The site of this name. @throws DrError UNKNOWN_SITE, which names those that there are */
export function knownSite<Of>(deployment: string, sites: Readonly<Record<string, Of>>, site: string): Of {
  if (Object.hasOwn(sites, site)) return sites[site]!;
  throw new DrError('UNKNOWN_SITE', { deployment, site, known: Object.keys(sites).join(', ') });
}
