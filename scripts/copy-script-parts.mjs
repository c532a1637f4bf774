import { cp } from 'node:fs/promises';
import { fromRoot } from './setup/root.mjs';

/** The texts of exported scripts go into the build as they are: `tsc` takes only what it compiles. */
await cp(fromRoot('report/runbook/parts'), fromRoot('dist/report/runbook/parts'), { recursive: true });
