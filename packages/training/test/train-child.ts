import { train } from '../src/index.ts';

const [recipe = '', out = ''] = process.argv.slice(2);
await train({ recipe, out, threads: 1, onProgress: ({ done }) => console.log(done) });
console.log('finished');
