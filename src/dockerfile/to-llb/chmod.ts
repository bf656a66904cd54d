import { Fault } from '../diagnostic.js';

const SYMBOLIC = /^[augo]*(?:[-+=][rwxXstugo]*)+(?:,[augo]*(?:[-+=][rwxXstugo]*)+)*$/;

/** The `mode` members of a copy for `--chmod`; '' keeps the source's modes. Throws a Fault. */
export function chmodOf(text: string): { readonly mode: number; readonly modeStr?: string } {
  if (text === '') return { mode: -1 };
  const octal = /^[0-7]+$/.test(text) ? parseInt(text, 8) : Number.NaN;
  if (octal <= 0o7777) return { mode: octal };
  if (!Number.isNaN(octal) || /^\d/.test(text)) {
    throw new Fault('chmod', `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`);
  }
  if (!SYMBOLIC.test(text))
    throw new Fault('chmod', 'invalid syntax', `\`--chmod=${text}\` is not a mode: write 0755 or u=rwX,go=rX`);
  return { mode: 0, modeStr: text };
}
