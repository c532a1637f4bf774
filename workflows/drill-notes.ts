import type { CalendarNote } from '../domain/calendar-messages.ts';
import type { DrillStanding } from '../domain/drill-standing.ts';
import { askAny } from './ask-any.ts';

/** Reads and writes about the calendar of drills where the repository is, for a command that cannot reach it. */

export interface NoteActivities {
  'read-standing': (deployment: string) => Promise<DrillStanding>;
  'note-drill': (deployment: string, note: CalendarNote) => Promise<void>;
}

export interface CalendarQuestion {
  readonly deployment: string;
  /** Asked in this order, until one answers. */
  readonly workers: readonly string[];
}

export function readStanding({ deployment, workers }: CalendarQuestion): Promise<DrillStanding> {
  return askAny<NoteActivities, DrillStanding>(
    workers,
    `How ${deployment} stands with its drills`,
    (activities) => activities['read-standing'](deployment),
  );
}

export function noteDrill({ deployment, workers }: CalendarQuestion, note: CalendarNote): Promise<void> {
  return askAny<NoteActivities, void>(workers, `Note: ${note.kind}`, (activities) =>
    activities['note-drill'](deployment, note),
  );
}
