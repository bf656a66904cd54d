import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Seeded } from '../support/seeded.js';

/**
 * Writes a case with a random context and a random Dockerfile of COPY, ADD, RUN, ENV, WORKDIR and USER steps; the same for
 * the same seed. The names are few, so that steps meet each other's files; what cannot be done is a failure of both builders.
 */
export function writeRandomCase(seed: number, dir: string): void {
  const random = new Seeded(seed);
  mkdirSync(path.join(dir, 'ctx'), { recursive: true });
  const prepare: object[] = [];
  for (const name of NAMES) {
    prepare.push({ op: 'write', path: `ctx/${name}/${random.of(NAMES)}`, content: random.of(CONTENTS) });
    prepare.push({ op: 'write', path: `ctx/${name}.x`, content: random.of(CONTENTS) });
    if (random.chance(0.2)) prepare.push({ op: 'symlink', path: `ctx/${name}.l`, target: `${random.of(NAMES)}.x` });
    if (random.chance(0.2))
      prepare.push({ op: 'mkdir', path: `ctx/${name}/${random.of(NAMES)}.d`, mode: random.of(MODES) });
    if (random.chance(0.2)) prepare.push(...datedFile(`ctx/${name}.t/f`, random.of([0, 1_000_000_000])));
  }
  const ignore = random.chance(0.3) ? [random.of(NAMES), `!${random.of(NAMES)}/${random.of(NAMES)}`, '**/*.l'] : [];
  writeFileSync(path.join(dir, 'Dockerfile'), dockerfile(random));
  writeFileSync(path.join(dir, 'ctx/.dockerignore'), ignore.map((line) => `${line}\n`).join(''));
  writeFileSync(path.join(dir, 'case.json'), `${JSON.stringify({ prepare }, undefined, 2)}\n`);
}

const NAMES = ['a', 'b', 'c', 'dd'];
const CONTENTS = ['', '1', 'two', 'three\n'];
const MODES = ['755', '700', '1777', '2750', '4711', '644'];
const OWNERS = ['app', '5:6', 'app:staff', '0', '1000:0'];

function dockerfile(random: Seeded): string {
  const lines: string[] = [];
  const stages = 1 + random.below(3);
  for (let stage = 0; stage < stages; stage++) {
    lines.push(`FROM ${stage > 0 && random.chance(0.4) ? `s${random.below(stage)}` : 'busybox'} AS s${stage}`);
    const steps = 2 + random.below(4);
    for (let step = 0; step < steps; step++) lines.push(instruction(random, stage));
  }
  return `${lines.join('\n')}\n`;
}

function instruction(random: Seeded, stage: number): string {
  const kind = random.below(10);
  if (kind < 4) return `RUN ${commands(random)}`;
  if (kind < 8) return copy(random, stage);
  if (kind === 8) return `WORKDIR ${random.of(['/w', 'a', '/w/b', '/w/link', '../c'])}`;
  return random.of(['ENV A=a/$B', 'ENV B="b c"', 'USER app', 'USER 0', 'USER 7:8', 'ARG B=x', 'VOLUME /w/a']);
}

/** `source` and `target` are below /w, where everything happens. */
function copy(random: Seeded, stage: number): string {
  const from = stage > 0 && random.chance(0.5) ? `--from=s${random.below(stage)}` : '';
  const root = from === '' ? '' : '/w/';
  const name = (): string => random.of([...NAMES, 'a.x', 'b.x', '*.x', 'a*', `${random.of(NAMES)}/`, '?/*', '.']);
  const flags = [
    from,
    random.chance(0.25) ? '--link' : '',
    random.chance(0.3) ? `--chown=${random.of(OWNERS)}` : '',
    random.chance(0.2) ? `--chmod=${random.of([...MODES, 'u+x,go-w', 'a=rX', 'go='])}` : '',
    random.chance(0.2) ? '--parents' : '',
    random.chance(0.2) ? `--exclude=${random.of(['*.x', 'a', '**/b', 'a/*', '!a/b'])}` : '',
  ];
  // What a stage holds is not known: only a wildcard is sure not to fail.
  const sources = Array.from({ length: 1 + random.below(2) }, () =>
    root === '' ? name() : `${root}${random.of(NAMES)}*`,
  );
  const target = random.of(['/w/', '/w/a', '/w/a/', '/w/new/deep/', '/w/link/', './', 'rel/x', '/w/c/dd', '$A/']);
  return ['COPY', ...flags, ...sources, target].filter((word) => word !== '').join(' ');
}

function commands(random: Seeded): string {
  const at = (): string => random.of([...NAMES, 'a/b', 'b/c', 'a/b/c', 'link', 'link/a', 'dd/h', 'new/deep']);
  const one = (): string =>
    random.of([
      () => `mkdir -p ${at()}`,
      () => `echo ${random.of(['1', '22', '333'])} > ${at()}`,
      () => `rm -rf ${at()}`,
      () => `mv ${at()} ${at()}`,
      () => `ln ${at()} ${at()}`,
      () => `ln -s ${at()} ${at()}`,
      () => `ln -sfn ${random.of(['a', '/w/b', 'nothing'])} link`,
      () => `chmod ${random.of(MODES)} ${at()}`,
      () => `chown -R ${random.of(['5:6', '1000', '0:0'])} ${at()}`,
      () => `cp -a ${at()} ${at()}`,
      () => `touch -d '2001-02-03 04:05:06' ${at()}`,
      () => `rm -rf ${at()} && mkdir -p ${at()}`,
    ])();
  const all = Array.from({ length: 1 + random.below(6) }, one);
  return `mkdir -p /w; cd /w; { ${all.join('; ')}; } 2>/dev/null; true`;
}

function datedFile(file: string, time: number): readonly object[] {
  return [
    { op: 'write', path: file, content: 'dated' },
    { op: 'mtime', path: file, time },
  ];
}
