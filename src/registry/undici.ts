/** To be imported with `import()`: the bundle gives no names of a CommonJS package that is so imported itself. */
export { Agent, Pool, ProxyAgent } from 'undici';
