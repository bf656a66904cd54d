import { flatArgs, type Node } from '../ast.js';
import { Fault } from '../diagnostic.js';

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** Written in the old form `KEY value`. */
  readonly legacy: boolean;
}

/** The pairs of ENV and LABEL, before expansion. */
export function parseKeyValues(node: Node, keyword: string): readonly KeyValue[] {
  const args = flatArgs(node);
  if (args.length === 0) throw new Fault('arguments', `${keyword} requires at least one argument`);
  if (args.length % 3 !== 0) throw new Fault('arguments', `Bad input to ${keyword}, too many arguments`);
  const pairs: KeyValue[] = [];
  for (let i = 0; i < args.length; i += 3) {
    const key = args[i]!;
    if (key === '') throw new Fault('arguments', `${keyword} names can not be blank`);
    pairs.push({ key, value: args[i + 1]!, legacy: args[i + 2] === '' });
  }
  return pairs;
}
