export { createFiles } from './files.ts';
export { decodeImage, encodePng, imageShapeOf } from './images.ts';
