import type { Deployment, ProbeConfig } from './config.ts';

/** The probes that a load sends: those that are named, else those that may be asked any number of times. */
export function loadProbes({ load, probes }: Pick<Deployment, 'load' | 'probes'>): ProbeConfig[] {
  return probes.filter(
    ({ name, method, proves }) =>
      (method === 'GET' || method === 'HEAD') &&
      (load.probes ? load.probes.includes(name) : proves === 'api' || proves === 'known-key'),
  );
}
