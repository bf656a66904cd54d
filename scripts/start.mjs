// npm start: sets up what is missing, makes the base images, builds examples/node with both of its Dockerfiles, tries
// both images over HTTP, and compares them.
// npm start -- ARGS: sets up Slipway itself and passes ARGS to it.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { bases } from './bases.mjs';
import { baseCache } from './bases/cache.mjs';
import { EXAMPLE_BASES, EXAMPLE_IMAGES, SLIPWAY, exampleBuild } from './example.mjs';
import { readLines, runHere } from './process.mjs';
import { fail, say } from './say.mjs';
import { setup } from './setup.mjs';

async function demo() {
  process.stderr.write(
    'Builds a small web service twice, with one stage and with three, runs both images and compares them.\n' +
      `Base images for it go to ${baseCache()}, its images to the store of slipway; programs and npm\n` +
      'packages are installed if they are missing, and named before.\n\n',
  );
  await setup(['start']);
  say('bases', `${EXAMPLE_BASES.join(' and ')}, made from Debian and npm packages where they are not ready yet`);
  const layouts = await bases(EXAMPLE_BASES);

  for (const image of EXAMPLE_IMAGES) await buildImage(image, layouts);
  for (const image of EXAMPLE_IMAGES) await tryImage(image);

  process.stderr.write('\n');
  await slipway('compare', ...EXAMPLE_IMAGES.map(({ tag }) => tag));
}

async function buildImage(image, layouts) {
  say(image.tag, `building examples/node/${image.dockerfile}`);
  await slipway(...exampleBuild(image, layouts));
}

async function slipway(...args) {
  const code = await runHere(process.execPath, [SLIPWAY, ...args]);
  if (code === 130) process.exit(130);
  if (code !== 0) throw new Error(`\`slipway ${args[0]}\` ended with code ${code}`);
}

/** Runs the image, asks the service in it, and stops it: as a user would, and as a container platform would. */
async function tryImage({ tag }) {
  const port = await freePort();
  const output = [];
  const args = [SLIPWAY, 'run', `--env=PORT=${port}`, '--env=HOST=127.0.0.1', tag];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  readLines(child.stdout, (line) => output.push(line));
  readLines(child.stderr, (line) => output.push(line));
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  const interrupt = () => {
    child.kill('SIGTERM');
    void ended.then(() => process.exit(130));
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const url = `http://127.0.0.1:${port}`;
    await untilHealthy(url, ended);
    const note = await ask(`${url}/notes`, { text: `hello from ${tag}`, tags: ['demo'] });
    if (note.status !== 201) throw new Error(`POST /notes gave ${note.status}`);
    const list = await ask(`${url}/notes?tag=demo`);
    if (list.body?.notes?.[0]?.id !== note.body.id) throw new Error('GET /notes does not give the note back');
    const refused = await ask(`${url}/notes`, { text: '' });
    if (refused.status !== 400) throw new Error(`POST /notes with an empty text gave ${refused.status}, not 400`);
    say(tag, 'runs and answers over HTTP: GET /healthz 200, POST /notes 201, GET /notes 200, a bad note 400');
  } catch (error) {
    throw new Error(`${tag} does not work: ${error.message}\nits output:\n  ${output.slice(-20).join('\n  ')}`, {
      cause: error,
    });
  } finally {
    await stop(child, ended, tag);
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

async function untilHealthy(url, ended) {
  const deadline = Date.now() + 60_000;
  let gone;
  void ended.then((how) => (gone = how));
  for (;;) {
    const answer = await ask(`${url}/healthz`).catch(() => undefined); // nobody listens yet
    if (answer?.status === 200 && answer.body?.status === 'ok') return;
    if (gone !== undefined) throw new Error(`it ended (${gone}) before it answered`);
    if (Date.now() > deadline) throw new Error('no answer to GET /healthz within 60 s');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function ask(url, body) {
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(url, { ...(body && post), signal: AbortSignal.timeout(5000) });
  return { status: response.status, body: await response.json() };
}

async function stop(child, ended, tag) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => {
    say(tag, 'does not end on SIGTERM within 10 s, killing it');
    child.kill('SIGKILL');
  }, 10_000);
  await ended;
  clearTimeout(timer);
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const args = process.argv.slice(2);
try {
  if (args.length === 0) await demo();
  else {
    await setup([]);
    process.exitCode = await runHere(process.execPath, [SLIPWAY, ...args]);
  }
} catch (error) {
  fail(error);
}
