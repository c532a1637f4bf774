import type { Deployment } from './config.ts';
import { workersOfSites } from './site-workers.ts';

/** The sites of which a worker serves something; none for an observer that stands apart. */
export function sitesOfWorker(sites: Deployment['sites'], worker: string): string[] {
  return Object.entries(sites)
    .filter(([name, site]) => workersOfSites({ sites: { [name]: site } }).includes(worker))
    .map(([name]) => name);
}
