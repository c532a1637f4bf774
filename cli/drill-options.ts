import type { DrillType } from '../domain/drill.ts';
import { DrError } from '../domain/errors.ts';
import type { Recoverable, Scenario } from '../domain/run.ts';
import type { TabletopView } from '../domain/tabletop.ts';
import { textArgument } from './arguments.ts';
import type { TabletopOptions } from './drill-tabletop.ts';

/** The options of `tyk-dr drill` that belong to one kind of drill only. */

export interface DrillTabletopOptions {
  readonly participant?: readonly string[];
  readonly view?: TabletopView;
  readonly answers?: string;
  readonly events?: string;
  readonly sheet?: boolean;
}

/** May be given again and again; roles and people are known only with the configuration. */
export function participantArgument() {
  const one = textArgument('--participant', 'ROLE=PERSON, such as incident-commander=ann');
  return Object.assign(
    (value: string, before: readonly string[] | undefined): string[] => [...(before ?? []), one(value)],
    { kind: one.kind },
  );
}

interface All extends DrillTabletopOptions {
  readonly type: DrillType;
  readonly scenario: Scenario;
  readonly component?: Recoverable;
  readonly from?: string;
  readonly plant?: string;
  readonly end: string;
  readonly detach?: boolean;
  readonly reason: string;
  readonly actor?: string;
  readonly json?: boolean;
}

/** @throws DrError BAD_ARGUMENT for what a tabletop does not have */
export function tabletopOptions(options: All): TabletopOptions {
  const { plant, end, detach, view = 'facilitator', ...own } = options;
  const refuse = (argument: string, value: string): never => {
    throw new DrError('BAD_ARGUMENT', {
      ...{ argument, value, expected: 'another --type: in a tabletop nothing is done' },
    });
  };
  if (plant !== undefined) refuse('--plant', plant);
  if (end !== 'teardown') refuse('--end', end);
  if (detach) refuse('--detach', 'given');
  return { ...own, view };
}

/** @throws DrError BAD_ARGUMENT for what only a tabletop has */
export function refuseTabletopOptions({ type, view, answers, events, sheet }: All): void {
  const given = Object.entries({ view, answers, events, sheet }).find(([, value]) => value !== undefined);
  if (!given) return;
  const [name, value] = given;
  throw new DrError('BAD_ARGUMENT', {
    ...{ argument: `--${name}`, value: String(value), expected: `--type tabletop, not ${type}` },
  });
}
