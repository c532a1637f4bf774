import type { Plant } from '../domain/drill.ts';
import type { StepId } from './tables.ts';

/** Faults that a drill can plant in its own target, each right before the step that must go red for it. */
export interface PlantedFault {
  readonly noticedBy: StepId;
  /** What is planted, for people. */
  readonly what: string;
}

export const PLANTED: Readonly<Record<Plant, PlantedFault>> = {
  'truncated-object': {
    noticedBy: 'check-backup',
    what: 'the newest set as it would be with half of its largest object gone; the real one is not touched',
  },
  'clock-step': {
    noticedBy: 'check-target',
    what: 'the clock of the drill’s host read as if it had stepped by ten minutes',
  },
  'empty-redis': {
    noticedBy: 'prove-redis',
    what: 'a Redis that has come up without its keys',
  },
  'wrong-password': {
    noticedBy: 'prove-redis',
    what: 'a Redis that takes another password than the one configured',
  },
  'unmeasured-watermark': {
    noticedBy: 'measure-loss',
    what: 'stores without any watermark',
  },
  'missing-api': {
    noticedBy: 'prove-dashboard',
    what: 'an API of the set that the recovered Dashboard does not have',
  },
  'slow-database': {
    noticedBy: 'prove-dashboard',
    what: 'a database that lets the Dashboard wait for its APIs',
  },
  'revoked-key-works': {
    noticedBy: 'prove-security',
    what: 'a key that was revoked and is let in again',
  },
};
