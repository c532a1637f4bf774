import { ReplyError } from 'ioredis';
import { formatBytes, formatDuration } from '../../domain/duration.ts';
import { parseInfo, type Client } from './client.ts';

/** What a live Redis does against loss by itself, between two backups, and what that means against the RPO. */

export interface RedisSettings {
  readonly appendOnly: boolean;
  /** The following three only where CONFIG GET may be asked. */
  readonly appendFsync?: string;
  /** As in redis.conf, `900 1 300 10`; empty where nothing is saved by itself. */
  readonly save?: string;
  readonly disklessDelaySeconds?: number;
  readonly maxMemoryBytes: number;
  readonly usedMemoryBytes: number;
  readonly evictionPolicy: string;
  readonly lastSaveFailed: boolean;
  readonly lastAppendFailed: boolean;
  readonly lastRewriteFailed: boolean;
  /** Why CONFIG GET was refused. */
  readonly configDenied?: string;
}

export interface SettingFinding {
  readonly setting: string;
  readonly value: string;
  readonly severity: 'ok' | 'warning' | 'error';
  /** A sentence. */
  readonly meaning: string;
  /** What to do; empty where nothing is to be done. */
  readonly hint: string;
}

/** Reads, changes nothing. INFO is always needed; without CONFIG, as in a managed Redis, less is known. */
export async function redisSettings(client: Client): Promise<RedisSettings> {
  const info = parseInfo([await client.info('persistence'), await client.info('memory')].join('\r\n'));
  const config = await readConfig(client);
  return {
    appendOnly: info['aof_enabled'] === '1',
    ...config,
    maxMemoryBytes: Number(info['maxmemory'] ?? 0),
    usedMemoryBytes: Number(info['used_memory'] ?? 0),
    evictionPolicy: info['maxmemory_policy'] ?? 'unknown',
    lastSaveFailed: info['rdb_last_bgsave_status'] === 'err',
    lastAppendFailed: info['aof_last_write_status'] === 'err',
    lastRewriteFailed: info['aof_last_bgrewrite_status'] === 'err',
  };
}

async function readConfig(
  client: Client,
): Promise<Pick<RedisSettings, 'appendFsync' | 'save' | 'disklessDelaySeconds' | 'configDenied'>> {
  const get = async (name: string): Promise<string> => {
    const answer = (await client.config('GET', name)) as string[] | Record<string, string>;
    return Array.isArray(answer) ? (answer[1] ?? '') : (answer[name] ?? '');
  };
  try {
    return {
      appendFsync: await get('appendfsync'),
      save: await get('save'),
      disklessDelaySeconds: Number(await get('repl-diskless-sync-delay')),
    };
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error;
    return { configDenied: (error as Error).message };
  }
}

export interface JudgeOptions {
  readonly rpoMs: number;
  /** `redis.method`: over the replication link the server itself makes a backup wait. */
  readonly method: 'files' | 'commands';
}

/** Linux writes dirty pages back after so long. */
const KERNEL_FLUSH_MS = 30_000;
const ALMOST_FULL = 0.9;

/** One finding for each setting that says something. Pure. */
export function judgeSettings(settings: RedisSettings, options: JudgeOptions): SettingFinding[] {
  return [
    appendOnly(settings, options),
    ...fsync(settings, options),
    ...saves(settings, options),
    eviction(settings),
    ...failures(settings),
    ...disklessDelay(settings, options),
    ...denied(settings),
  ];
}

function appendOnly({ appendOnly: on }: RedisSettings, { rpoMs }: JudgeOptions): SettingFinding {
  return finding(
    ['appendonly', on ? 'yes' : 'no'],
    on
      ? ['ok', 'After a crash Redis comes back with what it had logged, not only with its last snapshot.', '']
      : [
          'warning',
          `A crash loses everything since the last snapshot; the RPO of ${formatDuration(rpoMs)} then rests on the snapshots alone.`,
          'Set appendonly yes (CONFIG SET appendonly yes, then in redis.conf), as the guide has it.',
        ],
  );
}

function fsync({ appendOnly: on, appendFsync }: RedisSettings, { rpoMs }: JudgeOptions): SettingFinding[] {
  if (appendFsync === undefined || !on) return [];
  const name = ['appendfsync', appendFsync] as const;
  if (appendFsync === 'always')
    return [finding(name, ['ok', 'A power failure loses nothing that was acknowledged.', ''])];
  if (appendFsync === 'everysec')
    return [finding(name, within(1_000, rpoMs, 'A power failure loses about the last second.', 'always'))];
  const meaning = `The kernel decides when the log reaches the disk: a power failure loses about ${formatDuration(KERNEL_FLUSH_MS)}.`;
  const [severity] = within(KERNEL_FLUSH_MS, rpoMs, meaning, 'everysec');
  return [
    finding(name, [
      severity === 'error' ? 'error' : 'warning',
      meaning,
      'Set appendfsync everysec, as the guide has it.',
    ]),
  ];
}

function within(
  lossMs: number,
  rpoMs: number,
  meaning: string,
  better: string,
): [SettingFinding['severity'], string, string] {
  if (lossMs <= rpoMs) return ['ok', meaning, ''];
  return [
    'error',
    `${meaning} That is more than the RPO of ${formatDuration(rpoMs)}.`,
    `Set appendfsync ${better}.`,
  ];
}

function saves({ appendOnly: on, save }: RedisSettings, { rpoMs }: JudgeOptions): SettingFinding[] {
  if (save === undefined) return [];
  const name = ['save', save === '' ? 'none' : save] as const;
  const numbers = save.split(' ').map(Number);
  const longestMs = Math.max(0, ...numbers.filter((_, index) => index % 2 === 0)) * 1000;
  if (save === '') {
    if (on) return [finding(name, ['ok', 'Nothing is lost by it: the append-only log is on.', ''])];
    return [
      finding(name, [
        'error',
        'Neither snapshots nor a log: a restart comes up empty, with every key, certificate and client gone.',
        'Set appendonly yes, or save 900 1 300 10 60 10000.',
      ]),
    ];
  }
  const rule = `A single change waits up to ${formatDuration(longestMs)} for a snapshot`;
  if (on) return [finding(name, ['ok', `${rule}; the append-only log covers the time between.`, ''])];
  if (longestMs <= rpoMs)
    return [finding(name, ['ok', `${rule}, within the RPO of ${formatDuration(rpoMs)}.`, ''])];
  return [
    finding(name, [
      'error',
      `${rule}: a crash can lose more than the RPO of ${formatDuration(rpoMs)}.`,
      'Set appendonly yes; or add a save rule with a shorter time.',
    ]),
  ];
}

function eviction(settings: RedisSettings): SettingFinding {
  const { evictionPolicy: policy, maxMemoryBytes: max, usedMemoryBytes: used } = settings;
  const name = ['maxmemory-policy', policy] as const;
  const share = max > 0 ? Math.round((100 * used) / max) : 0;
  const full =
    max > 0 ? `${formatBytes(used)} of ${formatBytes(max)} are used (${share} %)` : 'maxmemory is not set';
  if (policy === 'noeviction') {
    const almost = max > 0 && used / max >= ALMOST_FULL;
    return finding(name, [
      almost ? 'warning' : 'ok',
      `No key is dropped for want of memory; when it is full, writes fail; ${full}.`,
      almost ? 'Raise maxmemory before writes of Gateways fail.' : '',
    ]);
  }
  const which = policy.startsWith('volatile')
    ? 'keys that have an expiry, sessions among them'
    : 'any key, API keys and certificates among them';
  if (max === 0)
    return finding(name, [
      'warning',
      `When a maxmemory is set, Redis will drop ${which}; ${full}.`,
      'Set maxmemory-policy noeviction: what is dropped is in no later backup.',
    ]);
  return finding(name, [
    'error',
    `When it is full, Redis drops ${which}, and no backup after that has them; ${full}.`,
    'Set maxmemory-policy noeviction, and maxmemory large enough.',
  ]);
}

function failures(settings: RedisSettings): SettingFinding[] {
  const { lastSaveFailed, lastAppendFailed, lastRewriteFailed } = settings;
  const look = 'Look at the log of Redis and at the space and the rights of its data folder.';
  return [
    ...(lastSaveFailed
      ? [
          finding(
            ['rdb_last_bgsave_status', 'err'],
            ['error', 'The last snapshot failed: the one on disk is older than it seems.', look],
          ),
        ]
      : []),
    ...(lastAppendFailed
      ? [
          finding(
            ['aof_last_write_status', 'err'],
            [
              'error',
              'The last write to the append-only log failed: what came after it is only in memory.',
              look,
            ],
          ),
        ]
      : []),
    ...(lastRewriteFailed
      ? [
          finding(
            ['aof_last_bgrewrite_status', 'err'],
            [
              'warning',
              'The append-only log could not be rewritten and grows; a start takes longer and longer.',
              look,
            ],
          ),
        ]
      : []),
  ];
}

function disklessDelay(
  { disklessDelaySeconds: delay }: RedisSettings,
  { method }: JudgeOptions,
): SettingFinding[] {
  if (method !== 'files' || delay === undefined) return [];
  const name = ['repl-diskless-sync-delay', String(delay)] as const;
  if (delay === 0) return [finding(name, ['ok', 'A backup over the replication link begins at once.', ''])];
  return [
    finding(name, [
      'warning',
      `Each backup waits ${delay} s for other replicas before it begins; that is part of the exposure.`,
      'Set repl-diskless-sync-delay 0 where replicas rarely join.',
    ]),
  ];
}

function denied({ configDenied }: RedisSettings): SettingFinding[] {
  if (configDenied === undefined) return [];
  return [
    finding(
      ['CONFIG GET', 'denied'],
      [
        'warning',
        `How often Redis saves and syncs is not known: ${configDenied}.`,
        'Allow +config|get to the user; with a managed Redis, look at the settings of the provider.',
      ],
    ),
  ];
}

function finding(
  [setting, value]: readonly [string, string],
  [severity, meaning, hint]: readonly [SettingFinding['severity'], string, string],
): SettingFinding {
  return { setting, value, severity, meaning, hint };
}
