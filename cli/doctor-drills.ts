import { doubtful, fine, type Finding } from '../domain/doctor.ts';
import { DrError } from '../domain/errors.ts';
import { openDrills } from '../report/drills.ts';
import { deploymentOf, type Door } from './client.ts';
import { toldByWorker } from './failures.ts';
import { standingOf } from './drill-standing.ts';

/** What the doctor says of drills: a warning each, for none of it keeps a recovery from working tonight. */
export async function drillsAsDue(door: Door, name: string): Promise<Finding[]> {
  const { drill, roles } = deploymentOf(door.config, name);
  // Whoever plans nothing is told so once, in words, rather than by a missing line.
  if (!drill && Object.keys(roles).length === 0)
    return [doubtful('drills', 'deployment', 'none is planned: neither drill nor roles are declared')];
  try {
    const standing = await standingOf(door, name);
    const open = openDrills(standing);
    if (open.length > 0) return open.map((text) => doubtful('drills', 'deployment', text));
    const next = standing.next[0];
    return [fine('drills', 'deployment', `nothing is due${next ? `; next: ${next.kind}, ${next.at}` : ''}`)];
  } catch (error) {
    const told = error instanceof DrError ? error : toldByWorker(error);
    return [
      doubtful(
        'drills',
        'deployment',
        `not known: ${told?.message ?? 'no worker could read the repository'}`,
      ),
    ];
  }
}
