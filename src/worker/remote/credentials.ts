import type { Session } from '../../job/context.js';
import { readSecret } from '../secrets.js';

/**
 * The header Authorization for a URL, from the secrets `HTTP_AUTH_TOKEN_<host>` and `HTTP_AUTH_HEADER_<host>`; undefined
 * when neither was given.
 */
export async function httpAuthorization(url: string, session: Session): Promise<string | undefined> {
  if (!URL.canParse(url)) return undefined; // whoever fetches it says so
  const { hostname } = new URL(url);
  const token = await readSecret(`HTTP_AUTH_TOKEN_${hostname}`, session);
  if (token) return `Bearer ${token.toString()}`;
  return (await readSecret(`HTTP_AUTH_HEADER_${hostname}`, session))?.toString();
}

/**
 * The header for a repository, from the secrets whose names the source carries, those for its host first; undefined when
 * none was given. A token for one repository of github.com is for all of them, as actions/checkout has it.
 */
export async function gitHeader(
  remote: string,
  attrs: Readonly<Record<string, string>>,
  session: Session,
): Promise<{ readonly scope: string; readonly text: string } | undefined> {
  const [, origin = '', host = ''] = /^(https?:\/\/([^/]+)\/)/i.exec(remote) ?? [];
  if (origin === '') return undefined;
  const scope = /^(?:www\.)?github\.com$/.test(host) ? origin : remote;
  const names = { token: attrs['git.authtokensecret'], header: attrs['git.authheadersecret'] };
  for (const suffix of [`.${host}`, '']) {
    const header = names.header && (await readSecret(names.header + suffix, session));
    if (header) return { scope, text: `Authorization: ${header.toString()}` };
    const token = names.token && (await readSecret(names.token + suffix, session));
    if (!token) continue;
    const basic = Buffer.from(`x-access-token:${token.toString()}`).toString('base64');
    return { scope, text: `Authorization: basic ${basic}` };
  }
  return undefined;
}
