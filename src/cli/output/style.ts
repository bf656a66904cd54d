import { styleText } from 'node:util';

/** Colours text for a person at a terminal; plain where stderr is no terminal, or NO_COLOR is set. */
export function style(format: 'red' | 'yellow' | 'cyan' | 'green' | 'dim' | 'bold', text: string): string {
  const wanted = process.env['FORCE_COLOR'] ? true : process.stderr.isTTY && !process.env['NO_COLOR'];
  return wanted ? styleText(format, text) : text;
}
