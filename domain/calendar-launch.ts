import type { SiteWorkers } from './backup.ts';
import type { CalendarKind } from './calendar-kinds.ts';

/** What a schedule of the calendar hands to the workflow that it starts. Names only: it lies open in Temporal. */
export interface CalendarLaunch {
  readonly deployment: string;
  readonly kind: CalendarKind;
  readonly sites: readonly SiteWorkers[];
  /** Of the deployment's tier, 1 to 4: schedules carry no priority, so the drill gets it. */
  readonly priority: number;
}
