/** What `lab break` can do to a site. Apart from how it is done: every command of the program loads these words. */

export const BREAKS = [
  'kill-site',
  'kill-component',
  'wipe-data',
  'corrupt-rows',
  'delete-apis',
  'partition',
] as const;
export type Break = (typeof BREAKS)[number];
