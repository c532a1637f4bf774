# Restored configurations follow the target: every address, secret and path in them becomes the target's. What tyk-dr
# itself does with them (domain/tyk-conf.ts), field by field. $to: where to; $secrets: by name; $kind; $from: the old root.
def moved: if type == "string" then (if . == $from or startswith($from + "/") then $to.root + .[($from | length):] else . end)
  elif type == "array" then map(moved) elif type == "object" then map_values(moved) else . end;
def set_or_drop(name; value): if value == null then del(.[name]) else .[name] = value end;
def at_redis(prefix; use_tls; file; redis):
  (redis.sentinel // redis.cluster) as $group
  | set_or_drop(prefix + "host"; if $group then null else redis.host end)
  | set_or_drop(prefix + "port"; if $group then null else redis.port end)
  | del(.[prefix + "hosts"])
  | set_or_drop(prefix + "addrs"; $group.nodes)
  | set_or_drop(prefix + "master_name"; redis.sentinel.name)
  | set_or_drop(prefix + "sentinel_password"; $secrets.redis_sentinel)
  | set_or_drop(prefix + "username"; redis.username)
  | set_or_drop(prefix + "password"; $secrets.redis)
  | if redis.cluster or .enable_cluster != null then .enable_cluster = (redis.cluster != null) else . end
  | if redis.database != null then .[prefix + "database"] = redis.database else . end
  | reduce use_tls[] as $name (.; if redis.tls or .[$name] != null then .[$name] = (redis.tls != null) else . end)
  | reduce ("ca", "cert", "key") as $part (.; if redis.tls[$part] then .[file + $part + "_file"] = redis.tls[$part] else . end);
# Everybody writes these strings by hand: key=value, with quotes where there are blanks. All other options stay.
def dsn_options: [match("(\\w+)\\s*=\\s*(?:'((?:[^'\\\\]|\\\\.)*)'|(\\S*))"; "g").captures
  | {key: .[0].string, value: (if .[1].string != null and (.[1].offset >= 0) then (.[1].string | gsub("\\\\(?<c>.)"; .c)) else (.[2].string // "") end)}];
def dsn_quoted: if test("^[^\\s'\\\\]+$") then . else "'" + gsub("(?<c>['\\\\])"; "\\" + .c) + "'" end;
def dsn: (. // "" | tostring | dsn_options) as $old
  | [{key: "host", value: $to.database.host}, {key: "port", value: ($to.database.port | tostring)},
     {key: "dbname", value: $to.database.name}, {key: "user", value: $to.database.user}, {key: "password", value: $secrets.database}] as $new
  | reduce ($old + $new)[] as $each ([]; if any(.[]; .key == $each.key) then map(if .key == $each.key then $each else . end) else . + [$each] end)
  | map("\(.key)=\(.value | dsn_quoted)") | join(" ");
def listens: if $to.listenPort != null then .listen_port = $to.listenPort else . end;
def certificate: if $secrets.certificate then .security = ((.security | objects) // {}) + {private_certificate_encoding_secret: $secrets.certificate} else . end;
def named(name): .[name] |= ((. | objects) // {});
def gateway:
  listens | .secret = $secrets.gateway | .node_secret = $secrets.node
  | if $to.redis then named("storage") | .storage |= at_redis(""; ["use_ssl"]; ""; $to.redis)
      | reduce ("cache_storage", "analytics_storage") as $name (.; if (.[$name] | type) == "object" then .[$name] |= at_redis(""; ["use_ssl"]; ""; $to.redis | del(.database)) else . end)
    else . end
  | certificate
  | if $to.dashboardUrl then
      (if .use_db_app_configs == true then named("db_app_conf_options") | .db_app_conf_options.connection_string = $to.dashboardUrl else . end)
      | named("policies") | if .policies.policy_source == "service" then .policies.policy_connection_string = $to.dashboardUrl else . end
    else . end;
def dashboard:
  listens | .shared_node_secret = $secrets.node
  | if $secrets.admin then .admin_secret = $secrets.admin else . end
  | certificate | named("tyk_api_config") | .tyk_api_config.Secret = $secrets.gateway
  | if $to.gateway then .tyk_api_config.Host = $to.gateway.host | .tyk_api_config.Port = $to.gateway.port else . end
  | if $to.redis then at_redis("redis_"; ["redis_use_ssl"]; "redis_"; $to.redis) else . end
  | if $to.database and (.storage | type) == "object" then
      .storage |= map_values(if type == "object" and .type == "postgres" then .connection_string |= dsn else . end)
    else . end;
def pumped_to: if $to.database and (.connection_string | type) == "string" then .connection_string |= dsn else . end;
def pumped: if type != "object" then . elif (.meta | type) == "object" then .meta |= pumped_to else pumped_to end;
def pump:
  (if $to.redis then named("analytics_storage_config") | .analytics_storage_config |= at_redis(""; ["use_ssl", "redis_use_ssl"]; "ssl_"; $to.redis) else . end)
  | (if $to.listenPort != null then .health_check_endpoint_port = $to.listenPort else . end)
  | (if (.pumps | type) == "object" then .pumps |= map_values(pumped) else . end)
  | (if .uptime_pump_config != null then .uptime_pump_config |= pumped else . end);
moved | if $kind == "gateway" then gateway elif $kind == "dashboard" then dashboard else pump end
