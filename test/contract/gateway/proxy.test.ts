import { afterAll, beforeAll, describe, expect } from 'vitest';
import { accessTo } from '../../../lab/tyk/policy.ts';
import { type RunningGateway } from '../../harness/gateway.ts';
import { freePort } from '../../../adapters/host/free-port.ts';
import { contractOf, GATEWAY_UNDER_TEST } from './contract.ts';
import { echoOf, errorOf, startScene, statusOf, untilStatus, type Scene } from './scene.ts';
import { startUpstream, type Upstream } from './upstream.ts';

describe(`proxy, on ${GATEWAY_UNDER_TEST}`, () => {
  const proves = contractOf('proxy');
  let scene: Scene;
  let gateway: RunningGateway;
  let second: Upstream;

  beforeAll(async () => {
    scene = await startScene();
    second = await startUpstream('second');
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const unstripped = scene.api({ apiId: 'unstripped', auth: 'keyless' });
    const { api_definition: definition } = unstripped;
    scene.dashboard.apis = [
      scene.api({ apiId: 'open', auth: 'keyless', targetUrl: `${scene.upstream.url}/base` }),
      scene.api({ apiId: 'outer', auth: 'keyless', listenPath: '/nested/' }),
      scene.api({ apiId: 'inner', auth: 'keyless', listenPath: '/nested/deep/', targetUrl: second.url }),
      scene.api({ apiId: 'inactive', auth: 'keyless', active: false }),
      scene.api({ apiId: 'openapi', auth: 'keyless', oas: true }),
      scene.api({ apiId: 'token', auth: 'token' }),
      scene.api({ apiId: 'jwt', auth: 'jwt' }),
      scene.api({ apiId: 'oauth2', auth: 'oauth2' }),
      scene.api({ apiId: 'mtls', auth: 'mtls' }),
      scene.api({ apiId: 'dead', auth: 'keyless', targetUrl: nobody }),
      scene.api({
        apiId: 'versioned',
        versions: { targets: { v1: `${scene.upstream.url}/one`, v2: `${second.url}/two` }, default: 'v1' },
      }),
      {
        ...unstripped,
        api_definition: { ...definition, proxy: { ...definition.proxy, strip_listen_path: false } },
      },
    ];
    gateway = await scene.gateway();
    await untilStatus(gateway, '/open/', 200);
  });
  afterAll(async () => {
    await scene.end();
    await second.stop();
  });

  proves('proxy.keyless-200', 'an open API needs no key', async () => {
    expect(await statusOf(gateway, '/open/')).toBe(200);
  });

  proves('proxy.strips-listen-path', 'the upstream sees its own path and the query', async () => {
    const echo = await echoOf(await gateway.get('/open/a/b?c=1&d=2'));
    expect(echo.url).toBe('/base/a/b?c=1&d=2');
  });

  proves('proxy.keeps-listen-path', 'unless the definition says not to strip', async () => {
    const echo = await echoOf(await gateway.get('/unstripped/a'));
    expect(echo.url).toBe('/unstripped/a');
  });

  proves('proxy.bare-listen-path', 'the listen path alone reaches the target path', async () => {
    expect((await echoOf(await gateway.get('/open/'))).url).toBe('/base');
  });

  proves('proxy.method-and-body', 'passes method, body and headers on', async () => {
    const response = await fetch(`${gateway.url}/open/things`, {
      method: 'PUT',
      headers: { 'content-type': 'text/plain', 'x-of-the-client': 'yes' },
      body: 'hello',
    });
    const echo = await echoOf(response);
    expect(echo).toMatchObject({ method: 'PUT', body: 'hello' });
    expect(echo.headers).toMatchObject({ 'content-type': 'text/plain', 'x-of-the-client': 'yes' });
  });

  proves(
    'proxy.names-the-upstream-host',
    'host is the upstream, the client is in x-forwarded-for',
    async () => {
      const echo = await echoOf(await gateway.get('/open/'));
      expect(echo.headers['host']).toBe(new URL(scene.upstream.url).host);
      expect(echo.headers['x-forwarded-for']).toBe('127.0.0.1');
    },
  );

  proves('proxy.passes-status', 'the status of the upstream is the status of the reply', async () => {
    const response = await gateway.get('/open/', { headers: { 'x-answer-with': '418' } });
    expect(response.status).toBe(418);
    expect((await echoOf(response)).upstream).toBe('upstream');
  });

  proves('proxy.dead-upstream-500', 'an upstream that refuses the connection is a 500', async () => {
    const response = await gateway.get('/dead/');
    expect(response.status).toBe(500);
    expect(await errorOf(response)).toBe('There was a problem proxying the request');
  });

  proves('proxy.unknown-path-404', 'no listen path, no API', async () => {
    const response = await gateway.get('/nowhere/');
    expect(response.status).toBe(404);
    expect(await response.text()).toBe('Not Found');
    expect(await statusOf(gateway, '/')).toBe(404);
    expect(await statusOf(gateway, '/open')).toBe(404);
  });

  proves('proxy.longest-listen-path', 'the longer of two listen paths wins', async () => {
    expect(await echoOf(await gateway.get('/nested/x'))).toMatchObject({ upstream: 'upstream', url: '/x' });
    expect(await echoOf(await gateway.get('/nested/deep/x'))).toMatchObject({
      upstream: 'second',
      url: '/x',
    });
  });

  proves('proxy.api-id-path', 'every API also listens at its id, without stripping it', async () => {
    expect((await echoOf(await gateway.get('/outer/x'))).url).toBe('/outer/x');
  });

  proves('proxy.inactive-is-served', 'leaving out inactive APIs is for the Dashboard to do', async () => {
    expect(await statusOf(gateway, '/inactive/')).toBe(200);
  });

  proves('proxy.oas-is-served', 'an OpenAPI definition serves like a classic one', async () => {
    expect((await echoOf(await gateway.get('/openapi/x'))).url).toBe('/x');
  });

  proves('proxy.other-auth-refuses', 'JWT, OAuth and mutual TLS refuse who brings nothing', async () => {
    const refusals = await Promise.all(['/jwt/', '/oauth2/', '/mtls/'].map((path) => gateway.get(path)));
    expect(refusals.map((response) => response.status)).toEqual([400, 400, 403]);
    expect(await Promise.all(refusals.map(errorOf))).toEqual([
      'Authorization field missing',
      'Authorization field missing',
      'TLS not enabled',
    ]);
  });

  proves('proxy.version-by-header', 'a header chooses the version, else the default one serves', async () => {
    const key = await scene.storeKey({ access_rights: accessTo(['versioned'], ['v1', 'v2']) });
    const byDefault = await echoOf(await gateway.get('/versioned/x', { key }));
    expect(byDefault).toMatchObject({ upstream: 'upstream', url: '/one/x' });
    const chosen = await echoOf(await gateway.get('/versioned/x', { key, headers: { 'x-version': 'v2' } }));
    expect(chosen).toMatchObject({ upstream: 'second', url: '/two/x' });
  });

  proves('proxy.version-unknown-403', 'a version that does not exist is refused', async () => {
    const key = await scene.storeKey({ access_rights: accessTo(['versioned'], ['v1']) });
    const response = await gateway.get('/versioned/x', { key, headers: { 'x-version': 'v9' } });
    expect(response.status).toBe(403);
    expect(await errorOf(response)).toBe('This API version does not seem to exist');
  });

  proves('proxy.version-not-granted-403', 'a version that the key may not use is refused', async () => {
    const key = await scene.storeKey({ access_rights: accessTo(['versioned'], ['v1']) });
    const response = await gateway.get('/versioned/x', { key, headers: { 'x-version': 'v2' } });
    expect(response.status).toBe(403);
  });

  proves.concurrent('proxy.tags', 'a segmented Gateway serves only what bears one of its tags', async () => {
    const dashboard = await scene.anotherDashboard();
    const tagged = scene.api({ apiId: 'tagged', auth: 'keyless', tags: ['edge', 'eu'] });
    const disabled = scene.api({ apiId: 'disabled', auth: 'keyless', tags: ['edge'] });
    dashboard.apis = [
      tagged,
      { ...disabled, api_definition: { ...disabled.api_definition, tags_disabled: true } },
      scene.api({ apiId: 'other', auth: 'keyless', tags: ['us'] }),
      scene.api({ apiId: 'untagged', auth: 'keyless' }),
    ];
    const segmented = await scene.gateway({ source: { dashboardUrl: dashboard.url }, tags: ['edge'] });
    await untilStatus(segmented, '/tagged/', 200);
    for (const path of ['/other/', '/untagged/', '/disabled/']) {
      expect(await statusOf(segmented, path)).toBe(404);
    }
  });

  proves.concurrent('proxy.tags-ignored', 'a Gateway that is not segmented ignores tags', async () => {
    const dashboard = await scene.anotherDashboard();
    dashboard.apis = [scene.api({ apiId: 'tagged', auth: 'keyless', tags: ['edge'] })];
    await untilStatus(await scene.gateway({ source: { dashboardUrl: dashboard.url } }), '/tagged/', 200);
  });
});
