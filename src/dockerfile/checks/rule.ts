import type { LineRange } from '../diagnostic.js';
import type { MomentName, Moments } from './moments.js';

/** Says what is wrong in BuildKit's words; `range` when it is not the place of the moment. */
export type ReportFinding = (detail: string, range?: LineRange) => void;

/** One check: BuildKit's name and wording as data, and what it looks for at one kind of moment. */
export interface Rule<M extends MomentName = MomentName> {
  readonly name: string;
  readonly description: string;
  /** Of BuildKit's documentation; '' where it has none. */
  readonly page: string;
  /** Off unless it is asked for by name or with `experimental=all`; then `skip` has no say. */
  readonly experimental?: true;
  readonly moment: M;
  readonly check: (facts: Moments[M], report: ReportFinding) => void;
}

/** A rule of any moment. */
export type AnyRule = { readonly [M in MomentName]: Rule<M> }[MomentName];

export function listensTo<M extends MomentName>(rule: AnyRule, moment: M): rule is AnyRule & Rule<M> {
  return rule.moment === moment;
}

/** Where the rule is explained; '' for a rule without a page. */
export function ruleUrl(rule: Pick<Rule, 'page'>): string {
  return rule.page === '' ? '' : `https://docs.docker.com/go/dockerfile/rule/${rule.page}/`;
}
