import { ownOf } from '../domain/traffic.ts';
import type { Deployment, Site } from '../domain/config.ts';
import { escape } from './html-parts.ts';

/** The deployment as a picture, drawn from its configuration. Pure. */

const [WIDTH, GAP, BOX, TOP] = [1000, 24, 30, 96];

interface Box {
  readonly text: string;
  readonly worker: string | undefined;
}

export function architectureSvg(name: string, { sites, backup, traffic }: Deployment): string {
  const all = Object.entries(sites);
  const width = (WIDTH - GAP * (all.length - 1)) / all.length;
  const tallest = Math.max(...all.map(([, site]) => boxesOf(site).length));
  const bottom = TOP + 44 + tallest * (BOX + 8);
  const repositoryY = bottom + 46;
  const copyY = repositoryY + 70;
  const height = copyY + (backup.copies.length > 0 ? 44 : -20);
  const centre = (index: number): number => index * (width + GAP) + width / 2;
  const parts = [
    box(
      WIDTH / 2 - 190,
      4,
      380,
      40,
      '#eef3f9',
      `clients, ${traffic ? traffic.url : 'no load balancer configured'}`,
    ),
    ...all.map(([site, own], index) => {
      const used = traffic ? ownOf(traffic, site) : [];
      return [
        arrow(WIDTH / 2, 44, centre(index), TOP, used.length > 0 ? used.join(', ') : ''),
        siteBox(site, own, index * (width + GAP), width, bottom),
        arrow(centre(index), bottom, WIDTH / 2, repositoryY, ''),
      ].join('');
    }),
    box(WIDTH / 2 - 230, repositoryY, 460, 40, '#eaf5ee', `backup repository ${backup.repository}`),
    ...backup.copies.map(({ name: copy }, index) => {
      const each = WIDTH / backup.copies.length;
      const x = index * each + each / 2;
      return (
        arrow(WIDTH / 2, repositoryY + 40, x, copyY, '') +
        box(x - 110, copyY, 220, 36, '#eaf5ee', `off-site copy ${copy}`)
      );
    }),
  ];
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(`Architecture of ${name}`)}"><defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#5b6675"/></marker></defs>${parts.join('')}</svg>`;
}

function boxesOf(site: Site): Box[] {
  const { redis, database, dashboard, gateways, pump } = site;
  return [
    ...gateways.map((gateway) => ({ text: `Gateway ${gateway.name}`, worker: gateway.worker })),
    ...(dashboard ? [{ text: 'Dashboard', worker: dashboard.worker }] : []),
    ...(pump ? [{ text: 'Pump', worker: pump.worker }] : []),
    ...(redis ? [{ text: 'Redis', worker: redis.worker }] : []),
    ...(database
      ? [{ text: database.kind === 'mongodb' ? 'MongoDB' : 'PostgreSQL', worker: database.worker }]
      : []),
  ];
}

function siteBox(name: string, site: Site, x: number, width: number, bottom: number): string {
  const frame = `<rect x="${x}" y="${TOP}" width="${width}" height="${bottom - TOP}" rx="8" fill="#fff" stroke="#5b6675"/>`;
  const heading = `<text x="${x + 14}" y="${TOP + 22}" style="font-weight:600">site ${escape(name)}</text><text x="${x + width - 14}" y="${TOP + 22}" text-anchor="end" style="fill:#5b6675">worker ${escape(site.worker)}</text>`;
  const boxes = boxesOf(site).map(({ text, worker }, index) =>
    box(
      ...([x + 14, TOP + 36 + index * (BOX + 8), width - 28, BOX, '#f4f5f7'] as const),
      worker === undefined || worker === site.worker ? text : `${text} (worker ${worker})`,
    ),
  );
  return frame + heading + boxes.join('');
}

function box(x: number, y: number, width: number, height: number, fill: string, text: string): string {
  const room = Math.floor(width / 6.4);
  const shown = text.length > room ? `${text.slice(0, room - 1)}…` : text;
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" fill="${fill}" stroke="#b9c4d2"><title>${escape(text)}</title></rect><text x="${x + width / 2}" y="${y + height / 2 + 4}" text-anchor="middle">${escape(shown)}</text>`;
}

function arrow(x1: number, y1: number, x2: number, y2: number, text: string): string {
  const label =
    text === ''
      ? ''
      : `<text class="figure" x="${(x1 + x2) / 2}" y="${(y1 + y2) / 2 + 4}" text-anchor="middle">${escape(text)}</text>`;
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2 - 2}" stroke="#5b6675" marker-end="url(#tip)"/>${label}`;
}
