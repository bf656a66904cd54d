// npm test: sets up what is missing and runs every test; as root the end-to-end part once more as an ordinary user.
// npm test -- FILTER…: only the test files whose path contains a filter, once.
// The last line of stdout is `N passed, N failed`, with `, N skipped` where there are any.
import { existsSync, readFileSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { bases } from './bases.mjs';
import { run, runHere } from './process.mjs';
import { say } from './say.mjs';
import { setup } from './setup.mjs';
import { withOpenTun } from './tests/open-tun.mjs';
import { addUser, processesOf, removeUser } from './tests/rootless-user.mjs';
import { Tally } from './tests/tally.mjs';

const ROOT = path.dirname(import.meta.dirname);
const E2E = 'test/e2e';
/** Rungs of isolation that an ordinary user can have. */
const ROOTLESS = ['userns', 'userns-single'];
/** End-to-end tests of what the main process does alone, and as anybody: once is enough. */
const SAME_FOR_ALL = ['kaniko', 'other-systems', 'output-options', 'push-forms', 'registry-auth'];
/** Where the results recorded from BuildKit lie; see test/conformance/report.ts. */
const RECORDED = process.env.SLIPWAY_CONFORMANCE ?? path.resolve(ROOT, '../shared/conformance');

async function testAll(tally, work) {
  await check(tally, 'oxlint', 'node_modules/.bin/oxlint', '--deny-warnings');
  await check(tally, 'types', 'node_modules/.bin/tsc', '--noEmit');
  const env = { ...process.env, ...(await testBases()) };
  say('tests', `as ${os.userInfo().username}`);
  await vitest(tally, path.join(work, 'all.json'), [], { cwd: ROOT, env });
  // Prints what passes of the results recorded from BuildKit; says so where they are not at hand.
  await check(tally, 'conformance', process.execPath, path.join(ROOT, 'scripts/conformance.mjs'));
  const rungs = process.getuid() === 0 ? ['chroot'] : ROOTLESS;
  for (const rung of rungs) await checkRung(tally, rung, { cwd: ROOT, env });
  if (process.getuid() === 0 && existsSync(path.join(ROOT, E2E))) await testAsUser(tally, work, env);
}

/** The image does not depend on the rung: the recorded builds again, on one that is not the first choice here. */
async function checkRung(tally, rung, options) {
  const program = path.join(options.cwd, 'scripts/conformance.mjs');
  const code = await runNode([program, `--isolation=${rung}`], options);
  say(`conformance with ${rung}`, code === 0 ? 'passed' : 'FAILED');
  tally.check(code === 0);
}

async function check(tally, name, program, ...args) {
  const code = await runHere(path.resolve(ROOT, program), args, { cwd: ROOT });
  say(name, code === 0 ? 'passed' : 'FAILED');
  tally.check(code === 0);
}

/** The end-to-end tests find the base images through this variable: a JSON object from name to OCI layout. */
async function testBases() {
  if (!existsSync(path.join(ROOT, E2E))) return {};
  return { SLIPWAY_TEST_BASES: JSON.stringify(Object.fromEntries(await bases())) };
}

async function vitest(tally, report, filters, options) {
  const program = path.join(options.cwd, 'node_modules/vitest/vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  tally.addVitest(report, await runNode([program, 'run', ...reporters, ...filters], options));
}

/** Runs this Node.js, by a launcher that makes it another user's, or as the user that `options` name. */
async function runNode(args, { launcher, ...options }) {
  if (launcher === undefined) return await runHere(process.execPath, args, options);
  const { uid: _uid, gid: _gid, ...rest } = options;
  const [program, ...before] = launcher;
  return await runHere(program, [...before, process.execPath, ...args], rest);
}

/** The end-to-end part again, rootless: in a copy of the project that the user may read, with a home of its own. */
async function testAsUser(tally, work, env) {
  const home = path.join(work, 'home');
  const project = path.join(work, 'project');
  say('tests', 'making an ordinary user, who is removed again after the tests');
  const mountsBefore = readFileSync('/proc/self/mounts', 'utf8');
  const user = await addUser(home);
  try {
    const left = (file) => /(^|\/)(\.git|examples\/[^/]+\/node_modules)$/.test(path.relative(ROOT, file));
    const copied = { recursive: true, verbatimSymlinks: true, preserveTimestamps: true, filter: (file) => !left(file) };
    await cp(ROOT, project, copied);
    const runtime = path.join(home, 'run');
    const temp = path.join(home, 'tmp');
    await mkdir(runtime, { mode: 0o700 });
    await mkdir(temp);
    const results = path.join(work, 'results');
    await mkdir(results);
    await run('chown', ['-R', `${user.uid}:${user.gid}`, project, results, runtime, temp]);
    say('tests', `${E2E} as ${user.name} (uid ${user.uid}), rootless`);
    const own = { HOME: home, USER: user.name, LOGNAME: user.name, XDG_RUNTIME_DIR: runtime, TMPDIR: temp };
    const tun = path.join(work, 'tun');
    await mkdir(tun);
    const launcher = withOpenTun(user, tun);
    const options = { cwd: project, uid: user.uid, gid: user.gid, launcher, env: { ...asUser(env), ...own } };
    const excluded = SAME_FOR_ALL.flatMap((name) => ['--exclude', `${E2E}/${name}.test.ts`]);
    await vitest(tally, path.join(results, 'e2e.json'), [E2E, ...excluded], options);
    options.env.SLIPWAY_CONFORMANCE = RECORDED;
    for (const rung of ROOTLESS) await checkRung(tally, rung, options);
    tally.check(await nothingLeft(user, mountsBefore));
  } finally {
    await removeUser(user);
  }
}

/** What an environment of root's holds of root: where its own files lie, which the user cannot read. */
function asUser(env) {
  const own = /^(XDG_|SUDO_|npm_|SLIPWAY_(?!TEST_))|^(HOME|USER|LOGNAME|MAIL|PWD|OLDPWD|TMPDIR)$/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !own.test(name)));
}

async function nothingLeft(user, mountsBefore) {
  const deadline = Date.now() + 5000;
  let processes;
  while ((processes = processesOf(user)).length > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const pid of processes) {
    say('tests', `left running: ${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`);
    process.kill(pid, 'SIGKILL');
  }
  const mounts = readFileSync('/proc/self/mounts', 'utf8');
  if (mounts !== mountsBefore) say('tests', 'mounts were left behind, see /proc/self/mounts');
  const good = processes.length === 0 && mounts === mountsBefore;
  say('left nothing behind', good ? 'passed' : 'FAILED');
  return good;
}

const tally = new Tally();
const filters = process.argv.slice(2);
const work = await mkdtemp(path.join(os.tmpdir(), 'slipway-test-'));
await chmod(work, 0o755); // the ordinary user has its home in it
try {
  await setup(['start', 'test']);
  if (filters.length === 0) await testAll(tally, work);
  else {
    const env = { ...process.env, ...(filters.some((filter) => filter.includes('e2e')) ? await testBases() : {}) };
    await vitest(tally, path.join(work, 'some.json'), filters, { cwd: ROOT, env });
  }
} catch (error) {
  process.stderr.write(`\nerror: ${error instanceof Error ? error.stack : error}\n`);
  tally.check(false);
} finally {
  await rm(work, { recursive: true, force: true });
}
process.exitCode = tally.good ? 0 : 1;
process.stdout.write(`${tally}\n`);
