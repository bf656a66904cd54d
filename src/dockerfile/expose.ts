import { isIP } from 'node:net';
import { BuildError } from '../base/errors.js';
import { quote } from './go-text.js';

/**
 * The keys of `ExposedPorts` for the words of an EXPOSE after expansion, in order. A word is
 * `[[ip:]hostPort:]port[-port][/protocol]`; address and host port are checked and dropped. Throws DOCKERFILE_INVALID.
 */
export function exposedPorts(words: readonly string[]): string[] {
  return words.flatMap(portsOf);
}

interface PortRange {
  readonly first: number;
  readonly last: number;
}

function portsOf(word: string): string[] {
  const parts = word.split(':');
  const [port, protocol] = splitProtocol(word, parts.pop()!);
  const hostPort = parts.pop() ?? '';
  checkAddress(parts.join(':'));
  const range = parseRange(port);
  if (!range) throw invalid(`invalid containerPort: ${port}`);
  if (hostPort !== '') {
    const hostRange = parseRange(hostPort);
    if (!hostRange) throw invalid(`invalid hostPort: ${hostPort}`);
    const span = range.last - range.first;
    if (span !== 0 && span !== hostRange.last - hostRange.first) {
      throw invalid(`invalid ranges specified for container and host Ports: ${port} and ${hostPort}`);
    }
  }
  return Array.from({ length: range.last - range.first + 1 }, (_, i) => `${range.first + i}/${protocol}`);
}

function splitProtocol(word: string, text: string): readonly [port: string, protocol: string] {
  const slash = text.indexOf('/');
  const port = slash < 0 ? text : text.slice(0, slash);
  const protocol = slash < 0 ? '' : text.slice(slash + 1).toLowerCase();
  if (port === '') throw invalid(`invalid port: ${quote(word)}: no port specified`);
  if (protocol === '') return [port, 'tcp'];
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) {
    throw invalid(`invalid port: ${quote(word)}: invalid proto: ${protocol}`);
  }
  return [port, protocol];
}

function checkAddress(address: string): void {
  if (address === '') return;
  const bare = address.startsWith('[') ? withoutBrackets(address) : address;
  if (bare !== '' && (bare.includes('%') || isIP(bare) === 0)) throw invalid(`invalid IP address: ${bare}`);
}

function withoutBrackets(address: string): string {
  const end = address.indexOf(']');
  const fault = (why: string): BuildError =>
    invalid(`invalid IP address ${address}: address ${address}:: ${why} in address`);
  if (end < 0) throw fault("missing ']'");
  if (end + 1 < address.length) throw fault(address[end + 1] === ':' ? 'too many colons' : 'missing port');
  if (address.indexOf('[', 1) >= 0) throw fault("unexpected '['");
  return address.slice(1, end);
}

function parseRange(text: string): PortRange | undefined {
  const ends = text.split('-').map(parsePort);
  const [first, last = first] = ends;
  if (ends.length > 2 || first === undefined || last === undefined || ends.includes(undefined)) return undefined;
  return first <= last ? { first, last } : undefined;
}

function parsePort(text: string): number | undefined {
  if (!/^\+?[0-9]+$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65535 ? port : undefined;
}

function invalid(message: string): BuildError {
  return new BuildError('DOCKERFILE_INVALID', message);
}
