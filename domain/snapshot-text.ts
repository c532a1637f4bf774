import type { SnapshotSummary } from './run.ts';

/** `Redis from snapshot 2026...-redis, taken ..., verified by a restore` */
export function snapshotText({ kind, snapshot, createdAt, verified }: SnapshotSummary): string {
  const what = kind === 'redis' ? 'Redis' : 'configuration';
  return `${what} from snapshot ${snapshot}, taken ${createdAt}, ${verified ? 'verified by a restore' : 'NOT verified by a restore'}`;
}
