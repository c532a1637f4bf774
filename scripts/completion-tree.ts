import { rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { completionTree } from '../cli/completion-tree.ts';
import { buildProgram } from '../cli/main.ts';
import { EVERY_STEP } from '../runbooks/tables.ts';

/** Writes down what a shell can complete, after `tsc`: completing then loads nothing of the program. */
const FILE = fileURLToPath(new URL('../completion-tree.json', import.meta.url));

const steps = EVERY_STEP;
await writeFile(`${FILE}.new`, JSON.stringify(completionTree(buildProgram(), steps)));
await rename(`${FILE}.new`, FILE);
