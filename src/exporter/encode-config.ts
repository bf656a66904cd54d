/**
 * Members of a config's objects in the order in which BuildKit writes them, by the name of the member that holds the
 * object; those of others are sorted by bytes.
 */
const ORDERS: Readonly<Record<string, readonly string[]>> = {
  config: [
    'User',
    'ExposedPorts',
    'Env',
    'Entrypoint',
    'Cmd',
    'Volumes',
    'WorkingDir',
    'Labels',
    'StopSignal',
    'ArgsEscaped',
    'Healthcheck',
    'OnBuild',
    'Shell',
  ],
  Healthcheck: ['Test', 'Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'],
  rootfs: ['type', 'diff_ids'],
  history: ['created', 'created_by', 'author', 'comment', 'empty_layer'],
};

/** The text of an image config: byte for byte BuildKit's, so that equal images have equal digests. */
export function encodeConfig(config: object): string {
  return encode(config, '');
}

function encode(value: unknown, holder: string): string {
  if (typeof value === 'string') return encodeString(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => encode(item, holder)).join()}]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  const order = Object.hasOwn(ORDERS, holder) ? ORDERS[holder]! : [];
  members.sort(([a], [b]) => rank(order, a) - rank(order, b) || Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${members.map(([name, member]) => `${encodeString(name)}:${encode(member, name)}`).join()}}`;
}

/** Unknown members come last. */
function rank(order: readonly string[], name: string): number {
  const at = order.indexOf(name);
  return at < 0 ? order.length : at;
}

/** As Go does, which keeps JSON harmless inside HTML. */
function encodeString(text: string): string {
  const escape = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, escape);
}
