import { readFile, rm } from 'node:fs/promises';
import { relative } from 'node:path';
import { build } from 'esbuild';
import { fromRoot } from './setup/root.mjs';

/** The compiled program once more, as few files: loading hundreds of them was a third of what a short command took. */

const OUT = 'dist/program';
/** Modules in small pieces, all of them loaded. The other packages stay as they are: some load files of their own. */
const INCLUDED = ['execa', 'zod'];
const { dependencies } = JSON.parse(await readFile(fromRoot('package.json'), 'utf8'));
const others = Object.keys(dependencies).filter((name) => !INCLUDED.includes(name));

/** A module finds the files beside it where it was compiled to, not where it is bundled to. */
const placesKept = {
  name: 'places kept',
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, async ({ path }) => {
      if (!path.startsWith(fromRoot('dist/'))) return undefined;
      const text = await readFile(path, 'utf8');
      const place = JSON.stringify(relative(fromRoot(OUT), path));
      return { contents: text.replaceAll('import.meta.url', `new URL(${place}, import.meta.url).href`) };
    });
  },
};

await rm(fromRoot(OUT), { recursive: true, force: true });
await build({
  ...{ entryPoints: [fromRoot('dist/cli/main.js')], outdir: fromRoot(OUT) },
  ...{ bundle: true, splitting: true, external: others },
  ...{ platform: 'node', format: 'esm', target: 'node20', keepNames: true },
  // What is included may include what is no module.
  banner: {
    js: `import { createRequire as requirerOf } from 'node:module'; const require = requirerOf(import.meta.url);`,
  },
  ...{ plugins: [placesKept], logLevel: 'warning' },
});
