import { BuildError } from '../../base/errors.js';
import type { LineRange } from '../diagnostic.js';
import { hasRule, withComments, type CheckOptions } from './check-options.js';
import type { MomentName, Moments, Place, Watcher } from './moments.js';
import { listensTo, ruleUrl } from './rule.js';
import { RULES } from './rules.js';

/** What a check found. */
export interface Warning {
  readonly rule: string;
  readonly description: string;
  /** '' for a rule without a page. */
  readonly url: string;
  readonly detail: string;
  readonly range: LineRange;
}

/** Holds what it is told against the rules. */
export class Checker implements Watcher {
  readonly #options: CheckOptions;
  readonly #onWarning: ((warning: Warning) => void) | undefined;
  readonly #warnings: Warning[] = [];

  constructor(options: CheckOptions, onWarning?: (warning: Warning) => void) {
    this.#options = options;
    this.#onWarning = onWarning;
  }

  /** In the order in which they were found. */
  get warnings(): readonly Warning[] {
    return this.#warnings;
  }

  tell<M extends MomentName>(moment: M, facts: Moments[M], place: Place): void {
    for (const rule of RULES) {
      if (!listensTo(rule, moment)) continue;
      const { name, description, experimental } = rule;
      const url = ruleUrl(rule);
      rule.check(facts, (detail, range = place.range) => {
        if (this.#applies(name, experimental === true, place))
          this.#add({ rule: name, description, url, detail, range });
      });
    }
  }

  /** Throws CHECK_FAILED in BuildKit's words when the file asks for that and something was found. */
  refuseWarnings(): void {
    if (!this.#options.error || this.#warnings.length === 0) return;
    const rules = [...new Set(this.#warnings.map(({ rule }) => rule))];
    throw new BuildError('CHECK_FAILED', `lint violation found for rules: ${rules.join(', ')}`, {
      hint: 'the file asks for this with `error=true`; `slipway check` shows the lines',
    });
  }

  #applies(name: string, experimental: boolean, place: Place): boolean {
    const { skip, experimental: wanted } = withComments(this.#options, place.comments);
    return experimental ? hasRule(wanted, name) : !hasRule(skip, name);
  }

  #add(warning: Warning): void {
    this.#warnings.push(warning);
    this.#onWarning?.(warning);
  }
}
