import { hasCode } from '../base/errors.js';
import { isNotHttp, isTransient, isUnsent, plainText, RegistryFailure } from './failure.js';

export interface RouteFacts {
  readonly doing: string;
  /** What was asked. */
  readonly url: URL;
  /** `host:port` of the proxy, where there is one. */
  readonly proxy: string | undefined;
  readonly secrets: Iterable<string>;
}

/** The server took the connection and did not answer in TLS. */
export function isNotTls(error: unknown): boolean {
  if (hasCode(error, 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'ERR_SSL_HTTP_REQUEST'))
    return true;
  if (hasCode(error, 'EPROTO'))
    return /wrong version number|packet length too long|http request/.test(messageOf(error));
  return hasCode(error, 'ECONNRESET') && messageOf(error).includes('before secure TLS connection');
}

const UNKNOWN_ISSUER = [
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_UNTRUSTED',
];

interface Explanation {
  readonly what: string;
  readonly hint?: string;
}

/** The error for a request that got no answer. */
export function noAnswer(error: unknown, facts: RouteFacts): RegistryFailure {
  const { doing, url, proxy, secrets } = facts;
  const { what, hint } = explain(error, facts);
  const route = proxy === undefined ? '' : ` through the proxy \`${proxy}\``;
  return new RegistryFailure('REGISTRY_FAILED', `${doing}: \`${url.host}\`${route}: ${plainText(what, secrets)}`, {
    ...(hint !== undefined && { hint }),
    isTransient: isTransient(error) || isUnsent(error),
  });
}

function explain(error: unknown, { url, proxy }: RouteFacts): Explanation {
  const server = url.host;
  const isTls = url.protocol === 'https:';
  const checkProxy = 'check HTTP_PROXY, HTTPS_PROXY and NO_PROXY';
  if (isTls && isNotTls(error)) {
    return {
      what: 'the server does not speak TLS',
      hint: `is it plain HTTP? set \`http = true\` for [registry."${server}"] in config.toml`,
    };
  }
  if (hasCode(error, ...UNKNOWN_ISSUER)) {
    return {
      what: 'its certificate is signed by an unknown authority',
      hint: `name the file of its CA with \`ca = ["…"]\` for [registry."${server}"] in config.toml, or with NODE_EXTRA_CA_CERTS`,
    };
  }
  if (hasCode(error, 'CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID')) {
    return {
      what: 'its certificate is not valid now',
      hint: 'check the clock of this machine, or renew the certificate',
    };
  }
  if (hasCode(error, 'ERR_TLS_CERT_ALTNAME_INVALID')) {
    return { what: 'its certificate is for another name', hint: 'use a name that stands in the certificate' };
  }
  if (/^Proxy (?:response|Authentication)/.test(messageOf(error))) {
    const status = /\((\d+)\)/.exec(messageOf(error))?.[1] ?? 'no success';
    return { what: `the proxy answered ${status}`, hint: checkProxy };
  }
  if (hasCode(error, 'ENOTFOUND', 'EAI_AGAIN')) {
    return {
      what: 'no such host',
      hint: proxy === undefined ? 'check the name and the DNS of this machine' : checkProxy,
    };
  }
  if (hasCode(error, 'ECONNREFUSED')) {
    return {
      what: 'connection refused',
      hint: proxy === undefined ? 'is it running, and is this its port?' : checkProxy,
    };
  }
  if (hasCode(error, 'ENETUNREACH', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT')) {
    return { what: 'cannot be reached', hint: 'is there a network, or does it need a proxy (HTTPS_PROXY)?' };
  }
  if (hasCode(error, 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT'))
    return { what: 'no answer in time' };
  if (hasCode(error, 'UND_ERR_HEADERS_OVERFLOW', 'HPE_HEADER_OVERFLOW'))
    return { what: 'the answer has too many headers' };
  if (hasCode(error, 'UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE', 'ECONNABORTED')) {
    // A server that misses the client's certificate says so in an alert, of which undici tells nothing.
    const hint = 'if it asks clients for a certificate, name one with `keypair` in config.toml';
    return { what: 'the connection was cut', ...(isTls && { hint }) };
  }
  if (isNotHttp(error)) {
    return { what: 'the answer is not HTTP', ...(!isTls && { hint: 'does it speak TLS? remove `http = true`' }) };
  }
  return { what: messageOf(error) || 'the request failed' };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
