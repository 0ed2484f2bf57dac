export { createFiles } from './files.ts';
export { encodePng } from './images.ts';
