import type { StepResult } from '../domain/run.ts';
import { methodOfSite } from './database/choose.ts';
import type { DatabaseRecovery } from './database/method.ts';
import { guarded, type Call, type Deps } from './guard.ts';

/** The database, by the method that its configuration names: `database/pgbackrest.ts` and its siblings. */

export function createDatabaseActivities(deps: Deps) {
  return {
    'restore-database-data': guarded(deps, 'mutate', by('restore')),
    'start-database': guarded(deps, 'mutate', by('start')),
    'prove-database': guarded(deps, 'probe', by('prove')),
    'protect-database': guarded(deps, 'mutate', by('protect')),
  };
}

type Step = 'restore' | 'start' | 'prove' | 'protect';

function by<Id extends Step>(step: Id): DatabaseRecovery[Id] {
  return (call: Call): Promise<StepResult> => methodOfSite(call.target)[step](call);
}
