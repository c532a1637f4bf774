import type { DatabaseMethod } from './method.ts';
import { backUp, scratchFolder, verify } from './dump-backup.ts';
import { checkBackup, checkTools, checkWarm, disk, secrets } from './dump-check.ts';
import { contents, discardOld, restore, start, undo } from './dump-recover.ts';
import { controlIds, countAnalytics, definitions, ping, prove } from './postgresql.ts';
import { protect } from './without-log.ts';

/** PostgreSQL through its own door only: for managed servers, and for moving to a newer major version. */
export const dumpMethod: DatabaseMethod = {
  name: 'dump',
  ...{ backUp, scratchFolder, verify },
  ...{ secrets, checkBackup, checkTools, disk, checkWarm },
  ...{ restore, start, prove, protect, contents, undo, discardOld },
  ...{ controlIds, countAnalytics, definitions, ping },
};
