import { stopService } from '../adapters/service/service.ts';
import type { SiteService } from './site.ts';

/** One after the other, in the order given. @returns the names of those that ran */
export async function stopServices(services: readonly SiteService[], signal: AbortSignal): Promise<string[]> {
  const stopped: string[] = [];
  for (const service of services) if (await stopService(service, signal)) stopped.push(service.name);
  return stopped;
}
