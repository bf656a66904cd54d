import { BuildError } from '../../base/errors.js';
import { parsePlatform, type Platform } from '../../oci/platform.js';
import { Fault } from '../diagnostic.js';
import type { Stage } from '../parse.js';
import type { Expansion } from '../expand/types.js';
import { quote } from '../go-text.js';
import { suggestion } from '../../base/suggest.js';
import { placeOf } from '../checks/tell-syntax.js';
import { findContext } from './contexts.js';
import type { EnvList } from './env-list.js';
import { sound, type Expander } from './expander.js';
import type { ConvertOptions } from './options.js';
import type { PlannedStage } from './planned-stage.js';
import { SCRATCH, type StagePlan } from './stage-plan.js';

/** What a FROM can refer to. */
export interface GlobalScope {
  readonly args: EnvList;
  /** Names of the ARGs before the first FROM, those without a value too. */
  readonly declared: ReadonlySet<string>;
}

/** Adds a stage of the file to the plan: its FROM expanded, its base found among the stages before it. Throws a Fault. */
export function planStage(
  plan: StagePlan,
  stage: Stage,
  scope: GlobalScope,
  expander: Expander,
  options: ConvertOptions,
  targetPlatform: Platform,
): PlannedStage {
  const { from, index } = stage;
  const { watcher } = options;
  const used = new Set<string>();
  const expand = (part: 'base' | 'platform', written: string): Expansion => {
    const expansion = expander.expansion(written, scope.args);
    const facts = { part, written, expansion, globalArgs: scope.args, declared: scope.declared, stageName: from.name };
    watcher?.tell('from', facts, placeOf(from));
    for (const name of expansion.matched) used.add(name);
    return sound(expansion);
  };
  const baseName = expand('base', from.base).text;
  if (baseName === '') {
    throw new Fault(
      'from',
      `base name (${from.base}) should not be blank`,
      'give the ARG a default before the first FROM',
    );
  }
  const platform =
    from.platform === '' ? undefined : platformOf(from.platform, expand('platform', from.platform), scope);
  const context = from.name === '' ? undefined : findContext(options, from.name, platform ?? targetPlatform);
  const planned: PlannedStage = {
    name: from.name,
    shown: from.name === '' ? `stage-${index}` : from.name,
    baseName,
    range: from.range,
    platform,
    implicit: false,
    replacedBy: context?.name,
    ignoreCache: context === undefined && ignoresCache(options, from.name),
    base: undefined,
    commands: [],
    steps: 0,
    reads: new Map(),
    start: undefined,
    triggersAdded: false,
  };
  plan.add(planned);
  watcher?.tell('planned', { stage: planned, args: used, description: from.docComment }, placeOf(from));
  if (context === undefined) {
    const image = baseName !== SCRATCH && planned.base === undefined ? 1 : 0;
    planned.steps = image + stage.instructions.filter(({ kind }) => STEPS.has(kind)).length;
  }
  return planned;
}

const STEPS: ReadonlySet<string> = new Set(['add', 'copy', 'run', 'workdir']);

/** Throws a Fault in BuildKit's words. */
function platformOf(written: string, { text, unmatched }: Expansion, { args }: GlobalScope): Platform {
  const near = [...unmatched].map((name) => suggestion(name, args.keys(), true)).find(Boolean);
  const suffix = near === undefined ? '' : ` (did you mean ${near}?)`;
  if (text === '') throw new Fault('platform', `empty platform value from expression ${written}${suffix}`);
  const bad = text.split('/').find((part) => !PLATFORM_PART.test(part));
  if (bad !== undefined) {
    const why = `platform specifier component must match ${quote(PLATFORM_PART.source)}: invalid argument`;
    const message = `${quote(bad)} is an invalid component of ${quote(text)}: ${why}`;
    throw new Fault('platform', `failed to parse platform ${written}: ${message}${suffix}`);
  }
  try {
    return parsePlatform(text);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    throw new Fault('platform', `failed to parse platform ${written}: ${error.message}${suffix}`, error.hint);
  }
}

const PLATFORM_PART = /^[A-Za-z0-9_.-]+$/;

function ignoresCache(options: ConvertOptions, name: string): boolean {
  if (options.noCache) return true;
  return (options.noCacheFilter ?? []).some((one) => one.toLowerCase() === name);
}
