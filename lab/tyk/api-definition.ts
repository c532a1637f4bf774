/** The fields of an API definition that this project reads or writes; a Gateway fills in the rest. */
export interface ApiDefinition {
  /** 24 hexadecimal digits or empty: any other text makes a Gateway reject the whole list. */
  readonly id: string;
  readonly api_id: string;
  readonly org_id: string;
  readonly name: string;
  readonly slug: string;
  /** Only the Dashboard looks at it: it leaves an inactive API out of the list. A Gateway loads what it gets. */
  readonly active: boolean;
  readonly internal: boolean;
  readonly use_keyless: boolean;
  readonly use_standard_auth: boolean;
  readonly enable_jwt: boolean;
  readonly use_oauth2: boolean;
  readonly use_mutual_tls_auth: boolean;
  readonly auth: { readonly auth_header_name: string };
  readonly auth_configs: Readonly<Record<string, { readonly auth_header_name: string }>>;
  /** Where a versioned API finds the version in a request. */
  readonly definition: { readonly location: 'header' | 'url' | 'url-param' | ''; readonly key: string };
  readonly version_data: {
    readonly not_versioned: boolean;
    readonly default_version: string;
    readonly versions: Readonly<Record<string, ApiVersion>>;
  };
  readonly proxy: {
    readonly listen_path: string;
    readonly target_url: string;
    readonly strip_listen_path: boolean;
  };
  readonly tags: readonly string[];
  readonly tags_disabled: boolean;
  readonly is_oas: boolean;
  readonly do_not_track: boolean;
}

interface ApiVersion {
  readonly name: string;
  readonly expires: string;
  /** Where this version goes instead of the API's target. */
  readonly override_target: string;
  readonly use_extended_paths: boolean;
}

/** An OpenAPI document with Tyk's extension. */
export type OasDocument = Readonly<Record<string, unknown>>;

/** One entry of the list that a Dashboard serves at `/system/apis`. */
export interface ApiListEntry {
  readonly api_definition: ApiDefinition;
  readonly oas: OasDocument | null;
}

export interface ApiOptions {
  readonly apiId: string;
  readonly orgId: string;
  readonly targetUrl: string;
  /** `/<apiId>/` unless given. */
  readonly listenPath?: string;
  readonly name?: string;
  /** Needs a key in the `Authorization` header unless given. */
  readonly auth?: 'token' | 'keyless' | 'jwt' | 'oauth2' | 'mtls';
  readonly active?: boolean;
  readonly tags?: readonly string[];
  /** Version name to target URL, chosen by the header `x-version`; `default` names the one without a header. */
  readonly versions?: { readonly targets: Readonly<Record<string, string>>; readonly default: string };
}

/** A classic API: the smallest definition that a Gateway loads and serves. */
export function buildApi(options: ApiOptions): ApiDefinition {
  const { apiId, auth = 'token' } = options;
  const header = { auth_header_name: 'Authorization' };
  return {
    id: '',
    api_id: apiId,
    org_id: options.orgId,
    name: options.name ?? apiId,
    slug: apiId,
    active: options.active ?? true,
    internal: false,
    use_keyless: auth === 'keyless',
    use_standard_auth: auth === 'token',
    enable_jwt: auth === 'jwt',
    use_oauth2: auth === 'oauth2',
    use_mutual_tls_auth: auth === 'mtls',
    auth: header,
    auth_configs: { authToken: header },
    definition: options.versions ? { location: 'header', key: 'x-version' } : { location: '', key: '' },
    version_data: versionData(options.versions),
    proxy: {
      listen_path: options.listenPath ?? `/${apiId}/`,
      target_url: options.targetUrl,
      strip_listen_path: true,
    },
    tags: options.tags ?? [],
    tags_disabled: false,
    is_oas: false,
    do_not_track: false,
  };
}

/** The same API in the form that a Dashboard serves, with an OpenAPI document where `oas` is set. */
export function buildApiEntry(options: ApiOptions & { readonly oas?: boolean }): ApiListEntry {
  const definition = buildApi(options);
  if (!options.oas) return { api_definition: definition, oas: null };
  return { api_definition: { ...definition, is_oas: true }, oas: buildOas(definition) };
}

function versionData(versions: ApiOptions['versions']): ApiDefinition['version_data'] {
  if (!versions) {
    return { not_versioned: true, default_version: '', versions: { Default: apiVersion('Default', '') } };
  }
  const entries = Object.entries(versions.targets);
  return {
    not_versioned: false,
    default_version: versions.default,
    versions: Object.fromEntries(entries.map(([name, target]) => [name, apiVersion(name, target)])),
  };
}

function apiVersion(name: string, target: string): ApiVersion {
  return { name, expires: '', override_target: target, use_extended_paths: true };
}

function buildOas(definition: ApiDefinition): OasDocument {
  const { proxy } = definition;
  return {
    openapi: '3.0.3',
    info: { title: definition.name, version: '1.0.0' },
    servers: [{ url: proxy.listen_path }],
    paths: {},
    components: {},
    'x-tyk-api-gateway': {
      info: {
        id: definition.api_id,
        orgId: definition.org_id,
        name: definition.name,
        state: { active: definition.active },
      },
      upstream: { url: proxy.target_url },
      server: { listenPath: { value: proxy.listen_path, strip: proxy.strip_listen_path } },
    },
  };
}
