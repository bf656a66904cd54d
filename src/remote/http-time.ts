const FORMS: readonly RegExp[] = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} [A-Z]+$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

/** Seconds since 1970 of a date in one of the three forms that HTTP has; undefined for any other text. */
export function parseHttpTime(text: string): number | undefined {
  const form = FORMS.findIndex((one) => one.test(text));
  if (form < 0) return undefined;
  const milliseconds = Date.parse(form === 2 ? `${text} GMT` : text);
  return Number.isNaN(milliseconds) ? undefined : Math.floor(milliseconds / 1000);
}
