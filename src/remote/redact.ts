/** A URL without the password, and without the user name where a token stands in for one. */
export function redact(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1xxxxx@');
}
