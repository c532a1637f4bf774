import type { ERRORS } from '../../domain/error-table.ts';
import type { EXIT_CODES, ErrorDetails } from '../../domain/error-kinds.ts';
import { code, page, section, table } from './markdown.ts';

const MEANING: Readonly<Record<keyof typeof EXIT_CODES, string>> = {
  recovered: 'recovered, and every proof passed',
  bug: 'a bug in tyk-dr',
  usage: 'the command line or the configuration is wrong',
  exceptions:
    'recovered, with exceptions or with incomplete proof; the doctor found an error; a store is not within its RPO',
  refused: 'a precondition does not hold; nothing was changed',
  running: 'another run of this deployment is already running',
  failed: 'failed, and undone',
  stuck: 'a person is needed',
  detached: 'the command line let go; the run goes on',
};

/** Exit codes, and every error with its message and hint, grouped by exit code. */
export function errorsPage(errors: typeof ERRORS, exitCodes: typeof EXIT_CODES): string {
  const classes = Object.keys(exitCodes) as (keyof typeof EXIT_CODES)[];
  const entries = Object.entries(errors);
  return page(
    'Errors',
    'tyk-dr prints `error:` with the message, `hint:` with what to do, and `next:` with the command to type where there is one.',
    [
      section(
        'Exit codes',
        table(
          ['exit', 'class', 'meaning'],
          classes.map((name) => [String(exitCodes[name]), name, MEANING[name]]),
        ),
      ),
      ...classes.flatMap((name) => {
        const own = entries.filter(([, entry]) => entry.class === name);
        if (own.length === 0) return [];
        const rows = own.map(([errorCode, entry]) => [
          code(errorCode),
          code(entry.message(detailNames)),
          entry.hint,
          'next' in entry && entry.next ? code(entry.next(detailNames)) : '',
          entry.retryable ? 'yes' : 'no',
        ]);
        return [
          section(
            `Exit ${exitCodes[name]}: ${MEANING[name]}`,
            table(['code', 'message', 'hint', 'next', 'retried by itself'], rows),
          ),
        ];
      }),
    ],
  );
}

/** Every detail of a message shows its own name. */
const detailNames: ErrorDetails = new Proxy({}, { get: (_target, name) => `<${String(name)}>` });
