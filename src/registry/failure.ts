import { STATUS_CODES } from 'node:http';
import { BuildError, hasCode, type ErrorCode } from '../base/errors.js';

/** What a registry, or the way to it, did in place of what it was asked for. */
export class RegistryFailure extends BuildError {
  /** Of the answer; undefined when there was none. */
  readonly status: number | undefined;
  /** `errors[].code` of the answer: `NAME_UNKNOWN`, `TOOMANYREQUESTS`. */
  readonly codes: readonly string[];
  /** The same request may succeed later. */
  readonly isTransient: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      readonly hint?: string;
      readonly cause?: unknown;
      readonly status?: number;
      readonly codes?: readonly string[];
      readonly isTransient?: boolean;
    } = {},
  ) {
    super(code, message, options);
    this.status = options.status;
    this.codes = options.codes ?? [];
    this.isTransient = options.isTransient ?? false;
  }
}

const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

export function isTransientStatus(status: number): boolean {
  return TRANSIENT_STATUSES.has(status);
}

/** Nothing of the request can have arrived. */
const BEFORE_SENDING = ['UND_ERR_CONNECT_TIMEOUT', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH'];

const CUT = [
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'HPE_INVALID_EOF_STATE',
];

/** A connection that could not be made just now; the registry has seen nothing of the request. */
export function isUnsent(error: unknown): boolean {
  return hasCode(error, ...BEFORE_SENDING);
}

/** Whether the same may succeed when it is tried again: connections that were cut, silence, statuses that pass. */
export function isTransient(error: unknown): boolean {
  if (error instanceof RegistryFailure) return error.isTransient;
  return hasCode(error, ...CUT, ...BEFORE_SENDING);
}

/** Errors of the system, of TLS and of undici have a code; one without is a bug. */
export function isOfTheNetwork(error: unknown): boolean {
  return isNotHttp(error) || (error instanceof Error && 'code' in error && typeof error.code === 'string');
}

/** What undici's parser cannot read; it has not always a code. */
export function isNotHttp(error: unknown): boolean {
  return error instanceof Error && error.name === 'HTTPParserError';
}

const MAX_MESSAGE = 500;

/** Text of a registry as it may stand in an error: one line, bounded, nothing that steers a terminal, no secret. */
export function plainText(text: string, secrets: Iterable<string>): string {
  let plain = text;
  for (const secret of secrets) if (secret !== '') plain = plain.replaceAll(secret, 'xxxxx');
  plain = plain
    .replace(/(https?:\/\/[^\s?"'`<>]*)\?[^\s"'`<>]*/g, '$1?…') // signed URLs
    // oxlint-disable-next-line no-control-regex
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  return plain.length > MAX_MESSAGE ? `${plain.slice(0, MAX_MESSAGE)}…` : plain;
}

interface ErrorBody {
  readonly codes: readonly string[];
  readonly text: string;
}

/** Reads `{"errors": [{"code", "message", "detail"}]}`, or what some servers say in its place; never throws. */
export function readErrorBody(body: string): ErrorBody {
  let found: unknown;
  try {
    found = JSON.parse(body);
  } catch {
    const isText = body !== '' && !/^\s*[<{[]/.test(body);
    return { codes: [], text: isText ? body : '' };
  }
  const { errors, details, message, error, error_description: description } = (found ?? {}) as Record<string, unknown>;
  const texts = (...values: readonly unknown[]): string[] =>
    values.filter((one) => typeof one === 'string' && one !== '') as string[];
  if (!Array.isArray(errors)) return { codes: [], text: texts(details, description, message, error)[0] ?? '' };
  const list = (errors as readonly unknown[]).slice(0, 5).map((one) => (one ?? {}) as Record<string, unknown>);
  const codes = list.flatMap((one) => texts(one['code']));
  const text = list.map((one) => texts(one['code'], one['message']).join(': ')).filter((one) => one !== '');
  return { codes, text: text.join('; ') };
}

export interface AnswerFacts {
  readonly doing: string;
  /** The registry as it is called in references. */
  readonly registry: string;
  /** The host that answered, where it is another. */
  readonly server: string;
  readonly status: number;
  readonly body: string;
  readonly secrets: Iterable<string>;
  readonly isLoggedIn: boolean;
}

/** The error for an answer that nobody expected. */
export function unexpectedAnswer(facts: AnswerFacts): RegistryFailure {
  const { doing, registry, server, status, secrets } = facts;
  const { codes, text } = readErrorBody(facts.body);
  const said = plainText(text, secrets);
  const name = STATUS_CODES[status];
  const answer = `\`${server}\` answered ${status}${name === undefined ? '' : ` ${name}`}${said === '' ? '' : `: ${said}`}`;
  const isDenied = status === 401 || status === 403;
  const hint = isDenied ? deniedHint(registry, facts.isLoggedIn) : statusHint(status);
  return new RegistryFailure(isDenied ? 'REGISTRY_DENIED' : 'REGISTRY_FAILED', `${doing}: ${answer}`, {
    ...(hint !== undefined && { hint }),
    status,
    codes: codes.map((code) => plainText(code, secrets)),
    isTransient: isTransientStatus(status),
  });
}

export function deniedHint(registry: string, isLoggedIn: boolean): string {
  const login = `\`slipway login${registry === 'docker.io' ? '' : ` ${registry}`}\``;
  return isLoggedIn
    ? `the user of the stored credentials may not do this, or the name does not exist; ${login} stores others`
    : `log in with ${login}, or check the name`;
}

function statusHint(status: number): string | undefined {
  if (status === 407) return 'the proxy wants credentials: `HTTPS_PROXY=http://user:password@host:port`';
  if (status === 413) return 'a proxy in front of the registry limits the size of requests';
  if (status === 429) return 'the registry limits how often it is asked; wait, log in, or set a mirror in config.toml';
  return status >= 500 ? 'the fault is at the registry; its log may say more' : undefined;
}
