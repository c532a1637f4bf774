import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Every folder of ours at the top. What a folder may import is said below; all else is refused, with the reason. */
const FOLDERS = [
  ...['activities', 'adapters', 'bench', 'cli', 'domain', 'lab', 'report'],
  ...['runbooks', 'scripts', 'test', 'worker', 'workflows'],
];

const LAB =
  'The product never knows the lab, which is only a configuration to it: only cli/lab.ts, bench/ and tests may.';

const DIRECTION = [
  {
    files: ['domain/**'],
    why: 'domain/ holds pure types and arithmetic, imported by all the rest: it imports nothing of ours.',
    packages: ['zod'],
  },
  {
    files: ['runbooks/**'],
    may: ['domain'],
    why: 'runbooks/ are plain data about what a recovery is: they see only domain/.',
    packages: [],
  },
  {
    files: ['workflows/**'],
    may: ['domain', 'runbooks'],
    types: ['activities'],
    why: 'Workflow code runs in a deterministic sandbox: it sees domain/, runbooks/, and activities/ by import type.',
    packages: ['@temporalio/workflow', '@temporalio/common'],
    also: [
      {
        regex: '/domain/config(-parts|-postgres|-temporal)?\\.ts$',
        allowTypeImports: true,
        message: 'domain/config.ts would carry zod into the workflow sandbox: import its types only.',
      },
    ],
  },
  {
    files: ['report/**'],
    may: ['domain', 'runbooks'],
    why: 'report/ is pure, from a run record to text: it sees only domain/ and runbooks/.',
    packages: [],
  },
  {
    files: ['adapters/**'],
    may: ['domain'],
    why: 'adapters/ speak to one outside system each and know no workflow: they see only domain/ and each other.',
  },
  {
    files: ['activities/**'],
    may: ['domain', 'adapters'],
    why: 'activities/ act through adapters/: they see domain/ and adapters/, never the workflow that calls them.',
    refused: '^@temporalio/(?!activity$|common$)',
  },
  {
    files: ['worker/**'],
    may: ['activities', 'adapters', 'domain', 'report', 'runbooks', 'workflows'],
    why: 'worker/ is the composition root: it sees everything but cli/ and lab/.',
  },
  {
    files: ['cli/**'],
    may: ['domain', 'runbooks', 'report', 'adapters'],
    types: ['workflows'],
    why: 'cli/ talks to a Temporal client: it sees domain/, runbooks/, report/, adapters/, and workflows/ by import type.',
  },
  { files: ['cli/lab.ts'], may: ['domain', 'lab'], why: 'cli/lab.ts is the one door to lab/.' },
  {
    files: ['lab/**'],
    may: ['domain', 'adapters'],
    why: 'lab/ starts programs and writes an ordinary configuration: it sees only domain/ and adapters/.',
  },
  {
    files: ['bench/**'],
    may: ['activities', 'adapters', 'cli', 'domain', 'lab', 'runbooks', 'worker'],
    why: 'bench/ measures the product in a lab: it sees both, but no workflow, no report and no test.',
  },
];

/** One entry of the configuration for one folder's direction of imports. */
function direction({ files, may = [], types = [], why, packages, refused, also = [] }) {
  const own = files[0].split('/')[0];
  const reaches = (folders) => `^(?:\\.\\./)+(?:${folders.join('|')})/`;
  const barred = FOLDERS.filter((name) => ![own, ...may, ...types, 'lab'].includes(name));
  const patterns = [{ regex: reaches(barred), message: why }, ...also];
  if (!may.includes('lab') && own !== 'lab') patterns.push({ regex: reaches(['lab']), message: LAB });
  if (types.length > 0) patterns.push({ regex: reaches(types), allowTypeImports: true, message: why });
  if (packages) {
    const names = packages.map((name) => `${name}$`).join('|');
    patterns.push({ regex: names ? `^(?!\\.|${names})` : '^(?!\\.)', message: why });
  }
  if (refused) patterns.push({ regex: refused, message: why });
  return { files: files.map((pattern) => pattern.replace(/\*\*$/, '**/*.ts')), rules: restrict(patterns) };
}

const restrict = (patterns) => ({ 'no-restricted-imports': ['error', { patterns }] });

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'test/replay/histories/', 'test/fixtures/']),
  { rules: { eqeqeq: 'error', 'no-var': 'error', 'prefer-const': 'error', 'no-self-compare': 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // A forgotten await on an activity or a query is a step that nobody waits for.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      // An interface asks for a promise; not every implementation has something to wait for.
      '@typescript-eslint/require-await': 'off',
      // We have no classes with a `this` to lose, only interfaces written in the short form.
      '@typescript-eslint/unbound-method': 'off',
      // Other programs' JSON is read field by field with String(...).
      '@typescript-eslint/no-base-to-string': 'off',
      // Numbers and errors in messages are what messages are for.
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, argsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: {
      globals: Object.fromEntries(
        ['process', 'Buffer', 'URL', 'setInterval', 'clearInterval'].map((name) => [name, false]),
      ),
    },
    rules: { 'no-undef': 'error', 'no-unused-vars': 'error' },
  },
  { rules: { 'max-lines': ['error', 300] } },
  { files: ['test/**'], rules: { 'max-lines': ['error', 500] } },
  // Tables of data grow with what they list; splitting them would only hide entries.
  { files: ['domain/errors.ts', 'runbooks/*.ts'], rules: { 'max-lines': ['error', 500] } },
  ...DIRECTION.map(direction),
);
