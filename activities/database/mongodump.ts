import type { DatabaseMethod } from './method.ts';
import { backUp, scratchFolder, verify } from './mongodump-backup.ts';
import { checkBackup, checkTools, checkWarm, disk, secrets } from './mongodump-check.ts';
import { contents, discardOld, restore, start, undo } from './mongodump-recover.ts';
import { controlIds, countAnalytics, definitions, ping, prove } from './mongodb.ts';
import { protect } from './without-log.ts';

/** MongoDB, wherever it runs: a dump through the driver, restored beside the old data. */
export const mongodumpMethod: DatabaseMethod = {
  name: 'mongodump',
  ...{ backUp, scratchFolder, verify },
  ...{ secrets, checkBackup, checkTools, disk, checkWarm },
  ...{ restore, start, prove, protect, contents, undo, discardOld },
  ...{ controlIds, countAnalytics, definitions, ping },
};
