/** What people outside are told. Nothing in it is secret: it travels through Temporal, e-mail and other people's chats. */

export type NoticeEvent =
  | 'backup-failed'
  | 'verify-failed'
  | 'retention-failed'
  | 'copy-failed'
  | 'keys-failed'
  | 'stale'
  | 'fresh-again';

export interface Notice {
  readonly event: NoticeEvent;
  readonly deployment: string;
  /** UTC ISO. */
  readonly at: string;
  /** One line. */
  readonly title: string;
  readonly lines: readonly string[];
  /** The run, the set or the schedule that it is about. */
  readonly about: string;
}

export interface NoticeResult {
  /** Channels, without anything that only their owner should know: `webhook hooks.example.com`, `e-mail`. */
  readonly sent: readonly string[];
  readonly failed: readonly string[];
}
