'use strict';
// Starts the worker: one script, as the command line is, with what V8 made of it before under the flags of this process.
const { createRequire } = require('node:module');
const path = require('node:path');
const { builtCache, compile } = require('./code-cache.cjs');

const file = path.join(path.dirname(__dirname), 'dist', 'worker.cjs');
const script = compile(file, { candidates: [() => builtCache(file)] });
const module_ = { exports: {} };
script.runInThisContext()(module_.exports, createRequire(file), module_, file, path.dirname(file));
