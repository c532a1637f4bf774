import type { CHECKS } from '../../domain/doctor.ts';
import { code, page, section, table } from './markdown.ts';

/** Every check of `tyk-dr doctor`, with what to do where it finds something wrong. */
export function doctorPage(checks: typeof CHECKS): string {
  const rows = Object.entries(checks).map(([id, { what, hint }]) => [code(id), what, hint]);
  return page(
    'What the doctor checks',
    '`tyk-dr doctor [DEPLOYMENT]` asks every worker at the same time, and changes nothing. Exit code 3 where it found an error.',
    [section('Checks', table(['id', 'what must be true', 'what to do'], rows))],
  );
}
