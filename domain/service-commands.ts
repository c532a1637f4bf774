import type { ServiceConfig } from './config.ts';

/** The three commands that drive a component, whatever it is driven with. */
export interface ServiceCommands {
  readonly start: readonly string[];
  readonly stop: readonly string[];
  readonly status: readonly string[];
}

/** Presets are nothing but commands: what runs can always be typed by hand. */
export function serviceCommands(service: ServiceConfig): ServiceCommands {
  if ('start' in service) return service;
  if ('systemd' in service) {
    const unit = service.systemd;
    return {
      start: ['systemctl', 'start', unit],
      stop: ['systemctl', 'stop', unit],
      status: ['systemctl', 'is-active', '--quiet', unit],
    };
  }
  const { context, namespace, workload, replicas } = service.kubernetes;
  const kubectl = [
    'kubectl',
    ...(context === undefined ? [] : [`--context=${context}`]),
    `--namespace=${namespace}`,
  ];
  return {
    start: [...kubectl, 'scale', workload, `--replicas=${replicas}`],
    stop: [...kubectl, 'scale', workload, '--replicas=0'],
    // Exit code 3 where no pod is left, ready or not, as the other drivers have it; a cluster that cannot be asked
    // has told nothing.
    status: [
      'sh',
      '-c',
      'n=$("$@") || exit 1; [ "${n:-0}" -gt 0 ] || exit 3',
      'kubectl',
      ...kubectl,
      'get',
      workload,
      '--output=jsonpath={.status.replicas}',
    ],
  };
}
