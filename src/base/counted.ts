/** Passes chunks on; `onProgress` is told how many bytes have gone by, after each. */
export async function* counted<T extends Uint8Array>(
  content: AsyncIterable<T>,
  onProgress: ((current: number) => void) | undefined,
): AsyncGenerator<T, void, undefined> {
  let current = 0;
  for await (const chunk of content) {
    current += chunk.byteLength;
    yield chunk;
    onProgress?.(current);
  }
}
