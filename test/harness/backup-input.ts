import type { BackupInput } from '../../domain/backup.ts';

/** The input of a backup whose one site has one worker. */
export const BACKUP_INPUT: BackupInput = {
  run: 'bak-test',
  set: '20260101T000000Z-0001',
  deployment: 'acme',
  configDigest: 'c'.repeat(64),
  sites: [{ site: 'primary', all: ['primary'], redis: 'primary', database: 'primary' }],
  full: false,
  actor: 'tester',
};
