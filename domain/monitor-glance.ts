import { WATCHED, type MonitorRules, type PartView, type View, type Voice, type Watched } from './monitor.ts';

/**
 * What all observers together see at one moment, without a memory. Pure.
 *
 * A site is down where a quorum of observers that see anything at all find that clients are not served and that no
 * Gateway of it answers. Where clients are served, nothing else that is broken makes it more than degraded; but where
 * another site serves them too, a quorum that finds nothing of this one alive calls it down.
 */

export type Vote =
  /** Clients are served. */
  | 'served'
  | 'down'
  /** Clients are not served, although a Gateway answers: the way to it is broken, or what is behind it. */
  | 'bypassed'
  /** It reaches nothing at all. */
  | 'blind'
  /** Nothing of the site is within its reach. */
  | 'nothing';

export interface DeadPart {
  readonly component: Watched;
  readonly names: readonly string[];
  readonly why: string;
}

export interface Glance {
  readonly level: 'healthy' | 'degraded' | 'suspect' | 'down';
  readonly reasons: readonly string[];
  /** In the order in which they would be healed. */
  readonly dead: readonly DeadPart[];
}

export function voteOf({ sighted, outside, parts }: View): Vote {
  if (!sighted) return 'blind';
  const gateways = parts.filter(({ component }) => component === 'gateway');
  const answers = gateways.some(({ seen }) => seen === 'up');
  if (outside.seen === 'up' || (outside.seen === 'unseen' && answers)) return 'served';
  if (answers) return 'bypassed';
  return outside.seen === 'unseen' && gateways.every(({ seen }) => seen === 'unseen') ? 'nothing' : 'down';
}

export function glance(voices: readonly Voice[], rules: Pick<MonitorRules, 'quorum' | 'shared'>): Glance {
  const { quorum } = rules;
  const heard = voices.flatMap(({ view }) => (view ? [{ view, vote: voteOf(view) }] : []));
  const by = (vote: Vote) => heard.filter((each) => each.vote === vote).map(({ view }) => view);
  const [down, bypassed, served] = [by('down'), by('bypassed'), by('served')];
  const sighted = [...down, ...bypassed, ...served];
  const dead = deadParts(sighted, quorum);
  const remarks = [
    ...voices.filter(({ view }) => !view).map(({ observer }) => `the observer ${observer} is silent`),
    ...by('blind').map(({ observer }) => `the observer ${observer} reaches nothing and does not count`),
    ...by('nothing').map(({ observer }) => `nothing of the site is within the reach of ${observer}`),
  ];
  const parts = dead.map(
    ({ names, why }) => `${names.join(', ')} ${names.length > 1 ? 'are' : 'is'} dead: ${why}`,
  );
  const whole = (level: Glance['level'], ...reasons: string[]): Glance => ({
    level,
    reasons: [...reasons, ...parts, ...remarks],
    dead,
  });
  // Where nobody who calls it down could look at a Gateway, the one who sees one answer knows more.
  const contradicted = bypassed.length > 0 && !down.some(sawADeadGateway);
  const gone = rules.shared ? seeingItGone(sighted) : [];
  if (gone.length >= quorum)
    return whole('down', `${namesOf(gone)} see nothing of it alive; another site serves the clients`);
  if (down.length >= quorum && !contradicted)
    return whole('down', `${namesOf(down)} see${down.length > 1 ? '' : 's'} it down: ${whyDown(down)}`);
  if (down.length >= quorum)
    return whole('suspect', `${namesOf(down)} see it down, but ${namesOf(bypassed)} reaches a Gateway of it`);
  if (down.length > 0)
    return whole('suspect', `${namesOf(down)} sees it down (${whyDown(down)}); ${quorum} must agree`);
  if (bypassed.length > 0 && served.length === 0)
    return whole('suspect', `clients are not served, although a Gateway answers: ${whyDown(bypassed)}`);
  const impaired = [
    ...bypassed.map(
      ({ observer, outside }) => `${observer} does not reach the clients' address: ${outside.why}`,
    ),
    ...(sighted.length < quorum
      ? [`only ${sighted.length} of ${voices.length} observers see anything; ${quorum} are needed to decide`]
      : []),
  ];
  if (impaired.length + dead.length + remarks.length > 0) return whole('degraded', ...impaired);
  return { level: 'healthy', reasons: [], dead: [] };
}

/** Who finds a Gateway or a store dead; nobody, unless both kinds are, and nobody sees one of either alive. */
function seeingItGone(views: readonly View[]): View[] {
  const basic = views.flatMap(({ parts }) => parts).filter(isBasic);
  const dead = basic.filter(({ seen }) => seen === 'down');
  const isGone =
    dead.some(({ component }) => component === 'gateway') &&
    dead.some(({ component }) => component !== 'gateway') &&
    !basic.some(({ seen }) => seen === 'up' || seen === 'ailing');
  return isGone ? views.filter(({ parts }) => parts.some((part) => dead.includes(part))) : [];
}

/** Gateways and stores. */
const isBasic = ({ component }: PartView): boolean => component !== 'dashboard' && component !== 'pump';

function deadParts(views: readonly View[], quorum: number): DeadPart[] {
  const all = views.flatMap(({ parts }) => parts);
  const names = [...new Set(all.map(({ name }) => name))];
  const dead = names
    .map((name) => all.filter((part) => part.name === name))
    .filter((seen) => isDead(seen, quorum));
  return WATCHED.flatMap((component) => {
    const own = dead.filter(([part]) => part!.component === component);
    if (own.length === 0) return [];
    const why = own.flatMap((seen) => seen.find((part) => part.seen === 'down')?.why ?? []);
    return [{ component, names: own.map(([part]) => part!.name), why: [...new Set(why)].join('; ') }];
  });
}

/** The word of its own host counts; where that is not heard, a quorum that does not contradict itself. */
function isDead(seen: readonly PartView[], quorum: number): boolean {
  const own = seen.filter((part) => part.own);
  if (own.length > 0) return own.every((part) => part.seen === 'down');
  const down = seen.filter((part) => part.seen === 'down').length;
  return down >= quorum && !seen.some((part) => part.seen === 'up' || part.seen === 'ailing');
}

const sawADeadGateway = ({ parts }: View): boolean =>
  parts.some(({ component, seen }) => component === 'gateway' && (seen === 'down' || seen === 'ailing'));

const namesOf = (views: readonly View[]): string => views.map(({ observer }) => observer).join(' and ');

function whyDown([first]: readonly View[]): string {
  const { outside, parts } = first!;
  const gateway = parts.find(({ component, seen }) => component === 'gateway' && seen !== 'up');
  return outside.why ?? gateway?.why ?? 'no answer';
}
