/** The example that `npm start` builds, for the tests. */
export interface ExampleImage {
  readonly tag: string;
  readonly dockerfile: string;
}
export const EXAMPLE_IMAGES: readonly ExampleImage[];
export function exampleBuild(image: ExampleImage, layouts: ReadonlyMap<string, string>): string[];
