import type { DatabaseMethod } from './method.ts';
import { backUp, scratchFolder, verify } from './pgbackrest-backup.ts';
import { checkBackup, checkTools, checkWarm, disk, secrets } from './pgbackrest-check.ts';
import { discardOld, protect, restore, start, undo } from './pgbackrest-recover.ts';
import { controlIds, countAnalytics, definitions, ping, prove } from './postgresql.ts';

/** PostgreSQL whose files are ours: physical backups, all WAL, recovery to any moment. */
export const pgbackrestMethod: DatabaseMethod = {
  name: 'pgbackrest',
  ...{ backUp, scratchFolder, verify },
  ...{ secrets, checkBackup, checkTools, disk, checkWarm },
  ...{ restore, start, prove, protect, undo, discardOld },
  ...{ controlIds, countAnalytics, definitions, ping },
};
