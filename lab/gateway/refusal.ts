/** Why the Gateway itself answers a request, in the words and with the status of the real one. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const REFUSALS = {
  noKey: () => new Refusal(401, 'Authorization field missing'),
  noCredentials: () => new Refusal(400, 'Authorization field missing'),
  notAuthorised: () => new Refusal(403, 'Key not authorised'),
  noTls: () => new Refusal(403, 'TLS not enabled'),
  disallowed: () => new Refusal(403, 'Access to this API has been disallowed'),
  inactive: () => new Refusal(403, 'Key is inactive, please renew'),
  expired: () => new Refusal(401, 'Key has expired, please renew'),
  noSuchVersion: () => new Refusal(403, 'This API version does not seem to exist'),
  rate: () => new Refusal(429, 'Rate limit exceeded'),
  quota: () => new Refusal(403, 'Quota exceeded'),
  upstream: () => new Refusal(500, 'There was a problem proxying the request'),
} as const;
