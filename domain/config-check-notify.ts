import type { Deployment } from './config.ts';
import type { ConfigProblem } from './config-check.ts';

/** Routes and people that lead to nobody. */
export function noticesReachSomebody({ notify, contacts }: Deployment): ConfigProblem[] {
  const channels = notify?.channels ?? {};
  const known = Object.keys(channels).join(', ') || 'none is declared under notify.channels';
  const unknown = (names: readonly string[], path: readonly PropertyKey[]): ConfigProblem[] =>
    names.flatMap((name, index) =>
      name in channels
        ? []
        : [{ path: [...path, index], message: `no channel '${name}'; expected one of ${known}` }],
    );
  const mails = Object.values(channels).some(({ kind }) => kind === 'email');
  return [
    ...(notify?.routes ?? []).flatMap((route, index) =>
      unknown(route.channels, ['notify', 'routes', index, 'channels']),
    ),
    ...contacts.flatMap((contact, index) => [
      ...unknown(contact.channels, ['contacts', index, 'channels']),
      ...(notify && contact.level > 1 && contact.channels.length === 0 && !(contact.email && mails)
        ? [
            {
              path: ['contacts', index, 'level'],
              message: `${contact.level}, and nothing leads to ${contact.name}; expected channels, or an email and a channel of kind email: who is escalated to must be told`,
            },
          ]
        : []),
    ]),
  ];
}
