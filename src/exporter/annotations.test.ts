import { expect, test } from 'vitest';
import { annotationsAt, parseAnnotation } from './annotations.js';

test('an annotation is of the manifest, or of the places that it names', () => {
  expect(parseAnnotation('a=b')).toEqual([{ level: 'manifest', key: 'a', value: 'b' }]);
  expect(parseAnnotation('org.x:y=z=')).toEqual([{ level: 'manifest', key: 'org.x:y', value: 'z=' }]);
  expect(parseAnnotation('index,manifest-descriptor[linux/arm64/v8]:a=b:c')).toEqual([
    { level: 'index', key: 'a', value: 'b:c' },
    { level: 'manifest-descriptor', platform: 'linux/arm64', key: 'a', value: 'b:c' },
  ]);
  expect(parseAnnotation('manifest:a=')).toEqual([{ level: 'manifest', key: 'a', value: '' }]);
});

test.each(['a', '=b', 'index:=b', 'layer:a=b', 'index,layer:a=b', 'manifest[a/b/c/d]:a=b'])('%s is refused', (text) => {
  expect(() => parseAnnotation(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

test('the later of two is taken, and those of other platforms are not', () => {
  const all = ['a=1', 'manifest[linux/arm64]:a=2', 'index:b=3', 'a=4', 'manifest[linux/amd64]:c=5'].flatMap(
    parseAnnotation,
  );
  expect(annotationsAt('manifest', all, { os: 'linux', architecture: 'amd64' })).toEqual({ a: '4', c: '5' });
  expect(annotationsAt('index', all, { os: 'linux', architecture: 'amd64' })).toEqual({ b: '3' });
});
