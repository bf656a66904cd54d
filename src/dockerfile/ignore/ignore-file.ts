import { BuildError } from '../../base/errors.js';
import { trim } from '../go-text.js';
import { cleanPath } from './clean-path.js';

const LONGEST_LINE = 64 * 1024;

/**
 * The patterns of a `.dockerignore`: comments and empty lines left out, white space trimmed, paths cleaned and made
 * relative. Nothing is checked; `PatternMatcher` does that. Throws CONTEXT_INVALID for a line of 64 KiB or more.
 */
export function parseIgnoreFile(text: string): string[] {
  const patterns: string[] = [];
  for (const line of (text.startsWith('\ufeff') ? text.slice(1) : text).split('\n')) {
    if (Buffer.byteLength(line) >= LONGEST_LINE) {
      throw new BuildError('CONTEXT_INVALID', 'failed to parse .dockerignore: bufio.Scanner: token too long');
    }
    if (line.startsWith('#')) continue;
    const pattern = trim(line);
    if (pattern === '') continue;
    patterns.push(pattern.startsWith('!') ? `!${relative(trim(pattern.slice(1)))}` : relative(pattern));
  }
  return patterns;
}

function relative(pattern: string): string {
  if (pattern === '') return '';
  const clean = cleanPath(pattern);
  return clean.length > 1 && clean.startsWith('/') ? clean.slice(1) : clean;
}
