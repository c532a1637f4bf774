#!/usr/bin/env node
import { existsSync } from 'node:fs';

const built = new URL('../dist/program/main.js', import.meta.url);
if (!existsSync(built)) {
  process.stderr.write('error: tyk-dr is not built yet\nhint: Run npm run setup in its folder.\n');
  process.exit(2);
}
if (process.argv[2] === '__complete') {
  // A shell waits for it while somebody types: the program itself is not loaded.
  const { answerShell } = await import(new URL('../dist/cli/complete.js', import.meta.url).href);
  answerShell(process.argv.slice(3));
} else {
  const { main } = await import(built.href);
  await main(process.argv);
}
