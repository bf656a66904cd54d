import { parseCsv } from '../csv.js';
import { Fault } from '../diagnostic.js';
import { parseBool } from '../go-text.js';
import { withSuggestion } from '../../base/suggest.js';

/** `RUN --device=`: a CDI device. */
export interface Device {
  readonly name: string;
  readonly required: boolean;
}

export function parseDevice(text: string): Device {
  let name = '';
  let required = false;
  for (const field of csvFields(text, 'devices')) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const value = field.slice(equals + 1);
    if (equals < 0) {
      if (key === 'required') required = true;
      else if (name === '') name = field;
      else throw new Fault('device', `invalid field '${field}' must be a key=value pair`);
    } else if (key === 'name') {
      if (name !== '') throw new Fault('device', `device name already set to ${name}`);
      name = value;
    } else if (key === 'required') {
      const flag = parseBool(value);
      if (flag === undefined) throw new Fault('device', `invalid value for ${key}: ${value}`);
      required = flag;
    } else if (name === '') {
      name = field;
    } else {
      const message = `unexpected key '${key}' in '${field}'`;
      throw new Fault('device', withSuggestion(message, key, ['name', 'required'], true));
    }
  }
  return { name, required };
}

/** The fields of a `--mount` or `--device` value; `what` names them in the error. */
export function csvFields(text: string, what: string): readonly string[] {
  try {
    return parseCsv(text);
  } catch (error) {
    throw new Fault('flag', `failed to parse csv ${what}: ${(error as Error).message}`);
  }
}
