/** The example that `npm start` builds, for the tests. */
export interface ExampleImage {
  readonly tag: string;
  readonly dockerfile: string;
}
/** Where it lies. */
export const EXAMPLE: string;
export const EXAMPLE_IMAGES: readonly ExampleImage[];
export function exampleBuild(image: ExampleImage, layouts: ReadonlyMap<string, string>): string[];
/** What lets npm inside a build trust what this machine trusts, where that is needed. */
export function trustFlags(): string[];
