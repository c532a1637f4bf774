import type { Deployment } from '../domain/config.ts';
import { customSettings, type ConfigFiles, type TykFile } from '../domain/tyk-defaults.ts';
import type { Section } from './document.ts';

/** Settings of Tyk's that differ from what Tyk documents as its defaults, as a part of the handbook. Pure. */

export function settingsSection({ sites }: Deployment, { from, files, why }: ConfigFiles = {}): Section {
  const title = 'Custom settings';
  if (!files)
    return { title, text: [`Not compared with the defaults of Tyk: ${why ?? 'nobody has looked'}.`] };
  const confs = [...new Map(confsOf(sites).map((each) => [each.path, each])).values()];
  const seen = confs.flatMap(({ path, file }) => {
    const text = files.get(path);
    return text === undefined ? [] : [{ path, found: customSettings(file, text) }];
  });
  const unread = seen.filter(({ found }) => found === undefined).map(({ path }) => path);
  return {
    title,
    text: [
      `From ${from}, against the defaults that Tyk documents for 5.x, for settings that matter to a recovery. Settings that come from the environment (TYK_GW_*, TYK_DB_*, TYK_PMP_*) are not seen.`,
      ...(seen.length === 0 ? ['It holds no configuration of Tyk.'] : []),
      ...(unread.length > 0 ? [`Not read, as they are no JSON: ${unread.join(', ')}.`] : []),
      ...seen.flatMap(({ path, found }) =>
        found && found.others.length > 0
          ? [`${path} also sets, with defaults that are not known here: ${found.others.join(', ')}.`]
          : [],
      ),
    ],
    table: {
      head: ['file', 'setting', 'value', "Tyk's default", 'what it is about'],
      rows: seen.flatMap(({ path, found }) =>
        (found?.differ ?? []).map((each) => [path, each.path, each.value, each.standard, each.why]),
      ),
    },
  };
}

/** Where a set has the configuration of each component. */
function confsOf(sites: Deployment['sites']): { path: string; file: TykFile }[] {
  return Object.values(sites).flatMap(({ gateways, dashboard, pump }) => [
    ...gateways.map(({ name, config }) => ({ path: `gateway-${name}/${config}`, file: 'gateway' as const })),
    ...(dashboard ? [{ path: `dashboard/${dashboard.config}`, file: 'dashboard' as const }] : []),
    ...(pump ? [{ path: `pump/${pump.config}`, file: 'pump' as const }] : []),
  ]);
}
