import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runLogged } from './run-logged.mjs';
import { SetupError } from './setup-error.mjs';

/** What the lab and the tests run, by Debian package, with the programs that show that it is there. */
const PACKAGES = {
  'redis-server': ['redis-server', 'redis-cli'],
  postgresql: ['/usr/lib/postgresql/15/bin/postgres', '/usr/lib/postgresql/15/bin/pg_amcheck'],
  pgbackrest: ['pgbackrest'],
  haproxy: ['haproxy'],
  age: ['age', 'age-keygen'],
  zstd: ['zstd'],
  git: ['git'],
  rclone: ['rclone'],
  // Signed approvals.
  'openssh-client': ['ssh-keygen', 'ssh-agent', 'ssh-add'],
  // The tests' SFTP server: run as an ordinary process on a free port, never as a service.
  'openssh-server': ['/usr/sbin/sshd'],
  // The tests' name server, run as an ordinary process on a free port; and what changes and asks a name server.
  bind9: ['/usr/sbin/named'],
  'bind9-dnsutils': ['dig', 'nsupdate'],
  // The commands of docs/mongodb.md that do without us.
  jq: ['jq'],
};

/** Daemons lie in sbin, which a user's PATH may lack. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];

const INSTALLER = fileURLToPath(new URL('debian-packages.sh', import.meta.url));

export const debianPackages = {
  title: 'Debian packages',

  look() {
    const missing = missingPackages();
    return missing.length === 0 ? undefined : `${missing.join(', ')} missing`;
  },

  /** @throws SetupError with exit code 2 where neither root nor sudo without a password is at hand */
  async make() {
    const command = ['sh', INSTALLER, ...missingPackages()];
    if (!isThere('apt-get')) {
      throw new SetupError('apt-get is missing: the set-up installs packages on Debian only', {
        hint: `Install these yourself: ${missingPackages().join(', ')}.`,
        exitCode: 2,
      });
    }
    if (process.getuid() === 0) return runLogged(command);
    if (spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0) {
      return runLogged(['sudo', '-n', ...command]);
    }
    throw new SetupError(`installing ${missingPackages().join(', ')} needs root`, {
      hint: `Run this as root, or with sudo, then try again:\n\n  sudo ${command.join(' ')}\n`,
      exitCode: 2,
    });
  },
};

function missingPackages() {
  return Object.keys(PACKAGES).filter((name) => !PACKAGES[name].every(isThere));
}

function isThere(program) {
  const places = program.startsWith('/') ? [program] : FOLDERS.map((folder) => join(folder, program));
  return places.some((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
