import type { Healthcheck } from '../../oci/image-config.js';
import type { Node } from '../ast.js';
import { Fault } from '../diagnostic.js';
import { parseFlags } from '../flags.js';
import { quote } from '../go-text.js';
import { atLeastOneArgument, baseOf, type InstructionBase } from './base.js';
import { parseCommandLine } from './command-line.js';
import { parseDuration } from './duration.js';

export interface HealthcheckInstruction extends InstructionBase<'healthcheck'> {
  /** Members that are zero are left out. */
  readonly health: Healthcheck;
}

const MINIMUM = 1e6; // nanoseconds

export function parseHealthcheck(node: Node): HealthcheckInstruction {
  const [type, ...args] = atLeastOneArgument(node, 'HEALTHCHECK');
  const kind = type!.toUpperCase();
  if (kind === 'NONE') {
    if (args.length > 0) throw new Fault('arguments', 'HEALTHCHECK NONE takes no arguments');
    return { ...baseOf('healthcheck', node), health: { Test: ['NONE'] } };
  }
  const flags = parseFlags(node.flags, {
    interval: 'string',
    timeout: 'string',
    'start-period': 'string',
    'start-interval': 'string',
    retries: 'string',
  });
  if (kind !== 'CMD') throw new Fault('arguments', `Unknown type ${quote(kind)} in HEALTHCHECK (try CMD)`);
  const command = parseCommandLine(node, args);
  if (command.args.length === 0) throw new Fault('arguments', 'Missing command after HEALTHCHECK CMD');
  const interval = parseInterval('interval', flags.interval);
  const timeout = parseInterval('timeout', flags.timeout);
  const startPeriod = parseInterval('start-period', flags['start-period']);
  const startInterval = parseInterval('start-interval', flags['start-interval']);
  const retries = parseRetries(flags.retries);
  const health: Healthcheck = {
    Test: [command.form === 'exec' ? 'CMD' : 'CMD-SHELL', ...command.args],
    ...(interval && { Interval: interval }),
    ...(timeout && { Timeout: timeout }),
    ...(startPeriod && { StartPeriod: startPeriod }),
    ...(startInterval && { StartInterval: startInterval }),
    ...(retries && { Retries: retries }),
  };
  return { ...baseOf('healthcheck', node), health };
}

function parseInterval(flag: string, text: string | undefined): number {
  const duration = text === undefined || text === '' ? 0 : parseDuration(text);
  if (duration !== 0 && duration < MINIMUM) {
    throw new Fault('duration', `Interval ${quote(flag)} cannot be less than 1ms`);
  }
  return duration;
}

function parseRetries(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^[-+]?\d+$/.test(text)) throw new Fault('flag', `strconv.ParseInt: parsing ${quote(text)}: invalid syntax`);
  const retries = Number(text);
  if (retries > 2 ** 31 - 1 || retries < -(2 ** 31)) {
    throw new Fault('flag', `strconv.ParseInt: parsing ${quote(text)}: value out of range`);
  }
  if (retries < 0) throw new Fault('flag', `--retries cannot be negative (${retries})`);
  return retries;
}
