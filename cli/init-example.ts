/** What `tyk-dr init` writes. A test reads it back with the schema. */
export const EXAMPLE = `# tyk-dr.yaml: what tyk-dr knows of your Tyk deployments.
#
# Give every worker the same deployment section. Commands, addresses and paths stay on the worker: a workflow only
# ever carries names. Secrets are references, env:NAME, file:/path (readable by its owner only) or
# 'command:["vault","kv","get","-field=value","tyk/gateway"]' (run without a shell), never values.
version: tyk-dr/v1

# Where Temporal is. TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and Temporal's profiles win over this.
temporal:
  address: 127.0.0.1:7233
  namespace: default

deployments:
  payments:
    # critical | important | standard | development: sets RTO, RPO and priority as in Tyk's guide.
    tier: critical
    objectives: { rto: 15m, rpo: 5m }
    # The Tyk organisation that the proofs look at.
    organisation: 5e9d9544a1dcd60001d0ed20
    # One consistent set, shared by Dashboard and Gateways.
    secrets:
      gateway: file:/etc/tyk-dr/secrets/gateway
      node: file:/etc/tyk-dr/secrets/node
      admin: file:/etc/tyk-dr/secrets/admin
    # Requests whose marked records must arrive in the analytics store.
    analytics: { path: /status/, requests: 5 }
    # What a client must be answered after a recovery.
    probes:
      - { name: status page, path: /status/, proves: api }
      - { name: known key, path: /orders/, key: file:/etc/tyk-dr/secrets/probe-key, proves: known-key }
      - { name: wrong key, path: /orders/, key: env:TYK_DR_WRONG_KEY, expect: { status: 403 }, proves: wrong-key }
      # Revoked before any disaster: no old backup may bring it back.
      - { name: revoked key, path: /orders/, key: file:/etc/tyk-dr/secrets/revoked-key, expect: { status: 403 }, proves: revoked-key }
    # What clients are promised, and the load that a recovery is measured with: see docs/criteria.md.
    slos: { availabilityPercent: 99.9, errorPercent: 0.5, p95Ms: 250, p99Ms: 1000 }
    load: { duration: 10s, requestsPerSecond: 50, concurrency: 20 }
    # What a recovery has lost is measured by a number a second in each store; the journal lies beside the sets.
    beacon: {}
    backup:
      # Outside every site: losing a site must not lose its backups.
      repository: /srv/backup/tyk-dr
      # At least two: one that operates, one that lies in a safe.
      recipients:
        - age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
        - age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg
      identity: file:/etc/tyk-dr/secrets/age-identity
      signingKey: file:/etc/tyk-dr/secrets/signing-key.pem
      trustedKeys: ['ed25519:MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqo=']
      # Configuration and definitions of each set as readable text, without secrets; a path or an address.
      git: { repository: /srv/backup/tyk-config.git }
      # What backup prune keeps; without this nothing is ever deleted.
      keep: { last: 7, daily: 14, weekly: 8, monthly: 12, yearly: 3, verified: 2 }
      # What is done by itself, once tyk-dr schedule apply has been run. The intervals must fit the RPO.
      schedules:
        full: { cron: '0 3 * * *' }
        incremental: { every: 3m, jitter: 5s }
        retention: { cron: '30 4 * * *' }
      pgbackrest: { repository: /srv/backup/pgbackrest, stanza: payments, passphrase: file:/etc/tyk-dr/secrets/pgbackrest }
    # Who hears of recoveries, failures, and of data that would be lost beyond the RPO: see docs/telling-people.md.
    # notify:
    #   channels:
    #     chat: { kind: slack, url: file:/etc/tyk-dr/secrets/slack-url }
    #     pager: { kind: pagerduty, routingKey: file:/etc/tyk-dr/secrets/pagerduty }
    #     mail: { kind: email, host: smtp.example.org, from: dr@example.org, to: [ops@example.org] }
    #   routes:
    #     - { channels: [chat, mail] }
    #     - { severity: error, channels: [pager] }
    #   escalateAfter: 5m
    # The people: shown in status and reports; where nobody acknowledges, the next level is told.
    contacts:
      - { name: Ann Example, role: incident commander, level: 1, email: ann@example.org, phone: '+44 20 5550 0100' }
      - { name: Bob Example, role: head of platform, level: 2, email: bob@example.org }
    # Who does what: drills record who took part, and the review shows who has not practised.
    roles:
      incident-commander:
        duty: declares, decides, and speaks for the recovery
        people: [Ann Example]
        deputies: [Bob Example]
        trainEvery: 180d
        practised: 2
    vendorSupport:
      - { name: Tyk support, contact: support@tyk.io, reference: your contract }
    traffic:
      kind: haproxy
      worker: edge
      socket: /run/haproxy/admin.sock
      backend: tyk
      servers: { london: [london-gw1], paris: [paris-gw1] }
      url: https://api.example.org
    sites:
      london: &site
        # The worker on its hosts: tyk-dr worker london. A component may name another one.
        worker: london
        # The fence marker (fenced), the epoch of the run in command. Start commands must honour the marker.
        stateDir: /var/lib/tyk-dr
        redis:
          port: 6379
          password: file:/etc/tyk-dr/secrets/redis
          dataDir: /var/lib/redis/data
          configFile: /etc/redis/redis.conf
          runAs: redis
          service: { systemd: redis-server }
        database:
          kind: postgresql
          port: 5432
          user: tyk
          password: file:/etc/tyk-dr/secrets/postgres
          dataDir: /var/lib/postgresql/15/main
          configFile: /etc/postgresql/15/main/postgresql.conf
          runAs: postgres
          pgbackrest: { configFile: /etc/tyk-dr/pgbackrest.conf, lockPath: /var/lib/tyk-dr/lock, spoolPath: /var/lib/tyk-dr/spool, logPath: /var/log/tyk-dr }
          service: { systemd: postgresql@15-main }
        dashboard:
          url: http://127.0.0.1:3000
          root: /opt/tyk-dashboard
          config: tyk_analytics.conf
          include: [certs, portal]
          accessKey: file:/etc/tyk-dr/secrets/dashboard-key
          service: { systemd: tyk-dashboard }
        gateways:
          - name: gw1
            url: http://127.0.0.1:8080
            root: /opt/tyk-gateway
            config: tyk.conf
            include: [apps, policies, middleware, certs]
            # Any three commands do: status exits 0 when it runs and 3 when it is stopped.
            service:
              start: [systemctl, start, tyk-gateway]
              stop: [systemctl, stop, tyk-gateway]
              status: [systemctl, is-active, --quiet, tyk-gateway]
        pump:
          root: /opt/tyk-pump
          config: pump.conf
          url: http://127.0.0.1:8083
          service: { systemd: tyk-pump }
      paris:
        <<: *site
        worker: paris
`;
