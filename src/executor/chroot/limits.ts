import { BuildError } from '../../base/errors.js';

/** The generic numbers of Linux (asm-generic/resource.h), which every processor that Node.js runs on has. */
const RESOURCES = [
  'cpu',
  'fsize',
  'data',
  'stack',
  'core',
  'rss',
  'nproc',
  'nofile',
  'memlock',
  'as',
  'locks',
  'sigpending',
  'msgqueue',
  'nice',
  'rtprio',
  'rttime',
];

/** The kernel's number of a ulimit. Throws RUNTIME_FAILED for a name that it does not know. */
export function resourceNumber(name: string): number {
  const number = RESOURCES.indexOf(name.toLowerCase());
  if (number < 0) throw new BuildError('RUNTIME_FAILED', `there is no limit named \`${name}\``);
  return number;
}
