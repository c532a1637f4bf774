#!/usr/bin/env node
import { existsSync } from 'node:fs';

const built = new URL('../dist/cli/main.js', import.meta.url);
if (!existsSync(built)) {
  process.stderr.write('error: tyk-dr is not built yet\nhint: Run npm run setup in its folder.\n');
  process.exit(2);
}
const { main } = await import(built.href);
await main(process.argv);
