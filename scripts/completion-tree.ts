import { rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { completionTree } from '../cli/completion-tree.ts';
import { buildProgram } from '../cli/main.ts';
import { RECOVER_STEPS } from '../runbooks/recover.ts';

/** Writes down what a shell can complete, after `tsc`: completing then loads nothing of the program. */
const FILE = fileURLToPath(new URL('../completion-tree.json', import.meta.url));

const steps = RECOVER_STEPS.map(({ id }) => id);
await writeFile(`${FILE}.new`, JSON.stringify(completionTree(buildProgram(), steps)));
await rename(`${FILE}.new`, FILE);
