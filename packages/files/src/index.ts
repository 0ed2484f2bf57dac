export { createFiles } from './files.ts';
export { decodeImage, decodeStored, encodePng, imageShapeOf } from './images.ts';
